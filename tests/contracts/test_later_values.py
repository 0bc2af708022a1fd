"""States and codes that a later version has written, met by this one in a rolling deployment."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, delete, select, text, update

from sqr_jobs.adapters.sql.tables import audit, job
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import Job
from sqr_jobs.domain.states import ApiStatus, JobState
from sqr_jobs.domain.upkeep import JobSearch
from sqr_jobs.errors import DatabaseUnavailable
from tests.contracts.job_store import JobStore

_STATE, _CODE = "LATER_STATE", "LATER_CODE"


@pytest.fixture
def later(store: JobStore) -> Iterator[Job]:
    """Give a job that a later version moved to a state of its own, which is active there."""
    made = store.create(user_id="U-LATER")
    with store.database.begin() as connection:
        _let_be_active(connection, f", '{_STATE}'")
        connection.execute(update(job).where(job.c.job_id == made.job_id).values(state=_STATE))
        connection.execute(update(audit).where(audit.c.job_id == made.job_id).values(to_state=_STATE))
    yield made
    with store.database.begin() as connection:
        connection.execute(delete(job))
        _let_be_active(connection, "")


def _let_be_active(connection: Connection, more: str) -> None:
    """Change which states are active, where a generated column can be changed in place."""
    if connection.dialect.name == "postgresql":
        active = f"CASE WHEN state IN ('QUEUED', 'RUNNING', 'RETRY_WAIT'{more}) THEN 1 END"
        connection.execute(
            text(f"ALTER TABLE sqr_jobs_job ALTER COLUMN active_slot SET EXPRESSION AS ({active})")
        )


_READS: dict[str, Callable[[JobStore, Job], object]] = {
    "the API": lambda store, made: store.intake.find(made.org_id, made.job_id),
    "a cancel": lambda store, made: store.intake.cancel(made),
    "an operator": lambda store, made: store.operations.get(made.job_id),
    "a list": lambda store, _made: store.operations.search(JobSearch()),
    "a history": lambda store, made: store.history.history(made.job_id),
}


@pytest.mark.parametrize("read", _READS.values(), ids=_READS)
def test_a_state_without_a_name_here_is_unavailable_and_says_what_to_do(
    store: JobStore, later: Job, read: Callable[[JobStore, Job], object]
) -> None:
    """It is answered 503, by which a client comes back; a traceback would be a 500."""
    with pytest.raises(DatabaseUnavailable, match=rf"\({_STATE}\)\. Upgrade this process\."):
        read(store, later)


def test_upkeep_and_workers_pass_over_what_they_do_not_understand(store: JobStore, later: Job) -> None:
    """One such row must not hold up the others, and is not theirs to end."""
    waiting, overdue = store.create(user_id="U-WAITS"), store.create(user_id="U-LATE")
    with store.database.begin() as connection:
        for made in (later, overdue):
            connection.execute(update(job).where(job.c.job_id == made.job_id).values(deadline_at=1))
    assert store.upkeep.reap_deadlines(100) == 1
    assert store.upkeep.reap_leases(100) == 0
    assert list(store.upkeep.due(100)) == [waiting.job_id]
    claim = store.execution.claim(later.job_id)
    assert claim is not None
    assert claim.job.job_id == waiting.job_id
    with store.database.read() as connection:
        rows = connection.execute(select(job.c.state).where(job.c.job_id == later.job_id))
        assert rows.scalar_one() == _STATE


def test_a_code_without_a_name_here_is_told_as_it_is(store: JobStore) -> None:
    """The contract says that more codes may come: clients must take them, and so must this version."""
    made = store.create(user_id="U-CODE")
    store.execution.claim(made.job_id)
    with store.database.begin() as connection:
        connection.execute(
            update(job).where(job.c.job_id == made.job_id).values(state=JobState.FAILED, error_code=_CODE)
        )
        connection.execute(update(audit).where(audit.c.job_id == made.job_id).values(error_code=_CODE))
    found = store.intake.find(made.org_id, made.job_id)
    assert found is not None
    assert (found.status, found.error_code) == (ApiStatus.FAILED, _CODE)
    assert found.error_code not in set(JobErrorCode)
    assert {event.error_code for event in store.history.history(made.job_id)} == {_CODE}
    assert [shown.error_code for shown in store.operations.search(JobSearch(error_code=_CODE))] == [_CODE]
