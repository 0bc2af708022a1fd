"""What every job store promises to the invariant checker: the history is whole, and the end is the end."""

from collections.abc import Callable

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError

from sqr_jobs.adapters.sql.tables import job
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import Claim
from sqr_jobs.domain.states import TERMINAL, JobState
from sqr_jobs.errors import DatabaseUnavailable
from tests.contracts.job_store import JobStore, document_of


def test_a_whole_life_is_told_line_by_line(store: JobStore) -> None:
    """Each transition writes exactly one line, and each line begins where the one before ended."""
    job_id = store.create().job_id
    store.execution.give_back(store.claim(job_id), delay_ms=0)
    store.move_clock_to_expiry(store.claim(job_id))
    store.upkeep.reap_leases(100)
    store.execution.fail(store.claim(job_id), JobErrorCode.STORAGE_UNAVAILABLE, "down")
    store.move_clock_to_retry(job_id)
    store.finish(store.claim(job_id))
    history = store.history.history(job_id)
    assert [event.why for event in history] == [
        "create", "claim", "give back", "claim", "lose lease", "claim", "retry", "claim", "complete",
    ]  # fmt: skip
    assert [event.from_state for event in history[1:]] == [event.to_state for event in history[:-1]]
    assert [event.attempt for event in history] == [0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert [event.at for event in history] == sorted(event.at for event in history)
    tokens = [event.token for event in history[1:]]
    assert tokens[::2] == tokens[1::2]
    assert len(set(tokens)) == 4
    assert {event.job_id for event in history} == {job_id}


def test_an_unknown_job_has_no_history(store: JobStore) -> None:
    """An operator's typing error is no fault of the store."""
    store.create()
    assert list(store.history.history("nothing")) == []


@pytest.mark.parametrize("state", sorted(TERMINAL), ids=str)
def test_no_hand_changes_the_state_of_a_job_that_ended(store: JobStore, state: JobState) -> None:
    """I3: the database itself refuses, also what never went through this library."""
    created = store.create()
    with store.database.begin() as connection:
        connection.execute(update(job).values(state=state))
    for other in set(JobState) - {state}:
        with pytest.raises(DBAPIError), store.database.engine.begin() as connection:
            connection.execute(text("UPDATE sqr_jobs_job SET state = :state"), {"state": other.value})
    with store.database.engine.begin() as connection:  # what is no change of state is allowed
        connection.execute(text("UPDATE sqr_jobs_job SET state = state, duration_ms = 5"))
    assert store.read(created.job_id).state is state


@pytest.mark.parametrize(
    "write",
    [
        lambda store, claim: store.create("U2"),
        lambda store, claim: store.execution.claim(None),
        lambda store, claim: store.execution.complete(claim, document_of(claim), duration_ms=1),
        lambda store, claim: store.execution.fail(claim, JobErrorCode.RENDER_FAILED, ""),
        lambda store, claim: store.execution.give_back(claim, delay_ms=0),
        lambda store, claim: store.upkeep.reap_leases(100),
        lambda store, claim: store.upkeep.reap_deadlines(100),
        lambda store, claim: store.intake.settle(store.read(claim.job.job_id)),
    ],
    ids=["create", "claim", "complete", "fail", "give back", "reap lease", "reap deadline", "settle"],
)
def test_a_transition_whose_line_cannot_be_written_does_not_happen(
    store: JobStore, request: pytest.FixtureRequest, write: Callable[[JobStore, Claim], object]
) -> None:
    """Change and history are one transaction: else the checker would believe what is not so."""
    name = request.node.callspec.id
    claim = store.claimed("U1", lifetime_s=300)
    store.create("U3", lifetime_s=3000)
    if "reap lease" in name:
        store.move_clock_to_expiry(claim)
    elif "deadline" in name or "settle" in name:
        store.move_clock_to_deadline(claim.job.job_id)
    before = store.rows()
    with store.database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE sqr_jobs_audit RENAME TO hidden"))
    try:
        with pytest.raises(DatabaseUnavailable):
            write(store, claim)
    finally:
        with store.database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE hidden RENAME TO sqr_jobs_audit"))
    assert store.rows() == before
