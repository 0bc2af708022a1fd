"""What every job store tells the log: each transition once, when it is true, and to whom it belongs."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, text

from sqr_jobs.adapters.sql import Database
from sqr_jobs.adapters.sql.after_commit import after_commit
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import IdempotencyKey, Reservation
from sqr_jobs.errors import DatabaseUnavailable, IdempotencyKeyInUse
from tests.contracts.job_store import WORKER, JobStore
from tests.databases import host_engine_for


class _Log:
    """What `sqr_jobs.jobs` has said."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    @property
    def records(self) -> list[logging.LogRecord]:
        return [record for record in self._caplog.records if record.name == "sqr_jobs.jobs"]

    def told(self, job_id: str | None = None) -> list[tuple[Any, ...]]:
        """Say which changes were told to have happened, of one job or of all."""
        return [
            (record.from_state, record.state, record.why)  # type: ignore[attr-defined]
            for record in self.records
            if record.levelno == logging.INFO and job_id in (None, record.job)  # type: ignore[attr-defined]
        ]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> _Log:
    """Listen."""
    caplog.set_level(logging.DEBUG)
    return _Log(caplog)


@pytest.fixture
def host_engine(database: Database) -> Iterator[Engine]:
    """Give an engine as a host makes it."""
    engine = host_engine_for(database.engine.url.render_as_string(hide_password=False))
    yield engine
    engine.dispose()


CREATED = (None, "QUEUED", "create")


def test_each_transition_is_told_once_with_what_belongs_to_it(store: JobStore, log: _Log) -> None:
    """`grep` for a job's id is its whole story; a log in JSON can be asked for an org or an error."""
    job_id = store.create().job_id
    store.execution.give_back(store.claim(job_id), delay_ms=0)
    store.move_clock_to_expiry(store.claim(job_id))
    assert store.upkeep.reap_leases(100) == 1
    assert store.upkeep.reap_leases(100) == 0
    store.execution.fail(store.claim(job_id), JobErrorCode.STORAGE_UNAVAILABLE, "CANARY of Jo Bloggs")
    store.move_clock_to_retry(job_id)
    store.finish(store.claim(job_id))
    overdue = store.create("U2")
    store.move_clock_to_deadline(overdue.job_id)
    store.intake.settle(store.read(overdue.job_id))
    assert store.upkeep.reap_deadlines(100) == 0
    failed = store.claimed("U3")
    store.execution.fail(failed, JobErrorCode.RENDER_FAILED, "CANARY of Jo Bloggs")

    for told in (job_id, overdue.job_id, failed.job.job_id):
        history = store.history.history(told)
        assert log.told(told) == [(event.from_state, event.to_state, event.why) for event in history]
        mine = [record for record in log.records if record.job == told]
        assert [record.attempt for record in mine] == [event.attempt for event in history]
        assert [record.error_code for record in mine] == [event.error_code for event in history]
        assert [record.worker for record in mine] == [event.worker for event in history]
        assert {record.org for record in mine} == {"acme"}
    lines = [record.getMessage() for record in log.records]
    assert f"job {job_id}: QUEUED -> RUNNING (claim by {WORKER})" in lines
    assert f"job {job_id}: RUNNING -> RETRY_WAIT (lose lease: lease of {WORKER} lost)" in lines
    assert {record.levelname for record in log.records} == {"INFO"}
    assert log.records[0].getMessage() == f"job {job_id}: new -> QUEUED (create)"
    assert log.records[-1].getMessage() == f"job {failed.job.job_id}: RUNNING -> FAILED (fail)"
    assert "CANARY" not in "".join(str(vars(record)) for record in log.records)
    assert {type(value) for record in log.records for value in (record.state, record.why)} == {str}


def test_a_write_that_was_fenced_off_tells_of_no_transition(store: JobStore, log: _Log) -> None:
    """What did not happen must not be read by whoever looks for the cause."""
    late = store.claimed()
    store.move_clock_to_expiry(late)
    store.upkeep.reap_leases(100)
    before = log.told()
    store.execution.fail(late, JobErrorCode.RENDER_FAILED, "late")
    store.execution.give_back(late, delay_ms=0)
    assert log.told() == before


def test_a_change_is_told_after_its_commit_and_never_before(store: JobStore, log: _Log) -> None:
    """A line about a row that was rolled back would be a lie."""
    claim = store.claimed()
    before = log.told()
    with _lost_commits(store.database, keep=False), pytest.raises(DatabaseUnavailable):
        store.finish(claim)
    assert log.told() == before


@pytest.mark.parametrize("keep", [True, False], ids=["committed", "rolled back"])
@pytest.mark.parametrize("end", ["claim", "fail", "give back"])
def test_a_change_whose_answer_was_lost_is_told_to_be_in_doubt(
    store: JobStore, log: _Log, end: str, keep: bool
) -> None:
    """Whoever reads the log alone would miss a change that the history has; one line says where to look."""
    waiting = store.create("U2")
    claim = store.claimed()
    changes: dict[str, Callable[[], object]] = {
        "claim": lambda: store.execution.claim(waiting.job_id),
        "fail": lambda: store.execution.fail(claim, JobErrorCode.RENDER_FAILED, "a cause"),
        "give back": lambda: store.execution.give_back(claim, delay_ms=0),
    }
    before, known = log.told(), len(log.records)
    with _lost_commits(store.database, keep=keep), pytest.raises(DatabaseUnavailable):
        changes[end]()
    assert log.told() == before
    [record] = log.records[known:]
    job_id = waiting.job_id if end == "claim" else claim.job.job_id
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith(f"job {job_id}: ")
    assert f" ({end}) is in doubt, the database's answer to its COMMIT was lost. " in record.getMessage()
    assert record.job == job_id  # type: ignore[attr-defined]


def test_a_change_that_was_never_sent_to_be_committed_is_in_no_doubt(store: JobStore) -> None:
    """A transaction that broke before its COMMIT has changed nothing, and everybody knows."""

    def broken() -> None:
        with store.database.begin() as connection:
            after_commit(connection, lambda: None, in_doubt=lambda: pytest.fail("it is known"))
            connection.execute(text("SELECT 1 FROM nothing_of_this_name"))

    with pytest.raises(DatabaseUnavailable):
        broken()


def test_a_completion_whose_answer_was_lost_is_told_once(store: JobStore, log: _Log) -> None:
    """The COMMIT came through and its answer did not: the attempt asks again, and then it knows."""
    claim = store.claimed()
    with _lost_commits(store.database, keep=True), pytest.raises(DatabaseUnavailable):
        store.finish(claim)
    assert ("RUNNING", "COMPLETE", "complete") not in log.told()
    store.finish(claim)
    assert log.told().count(("RUNNING", "COMPLETE", "complete")) == 1
    assert log.records[-1].attempt == 1  # type: ignore[attr-defined]


def test_a_job_in_a_hosts_transaction_is_told_at_the_hosts_commit(
    store: JobStore, host_engine: Engine, log: _Log
) -> None:
    """Until then there is no such job to anyone."""
    with host_engine.connect() as connection:
        for user_id in ("U1", "U2"):
            with connection.begin():
                store.create(user_id, connection=connection)
                store.create(f"{user_id}-too", connection=connection)
                before = log.told()
            assert log.told() == [*before, CREATED, CREATED]
    assert len({record.job for record in log.records}) == 4


@pytest.mark.parametrize("ending", ["rollback", "close"])
def test_a_job_that_the_host_rolled_back_is_never_told(
    store: JobStore, host_engine: Engine, log: _Log, ending: str
) -> None:
    """Neither then, nor at the next commit of the same connection."""
    connection = host_engine.connect()
    store.create(connection=connection)
    getattr(connection, ending)()
    assert log.told() == []
    with host_engine.connect() if ending == "close" else connection as again:
        again.execute(text("SELECT 1"))
        again.commit()
        assert log.told() == []
        job = store.create("U2", connection=again)
        again.commit()
    assert [record.job for record in log.records] == [job.job_id]


def test_a_hosts_savepoint_decides_over_what_came_after_it(
    store: JobStore, host_engine: Engine, log: _Log
) -> None:
    """A host that drops a part of its work drops the job that was in it, and no other."""
    with host_engine.begin() as connection:
        first = store.create("U1", connection=connection)
        with connection.begin_nested() as outer:
            store.create("U2", connection=connection)
            with connection.begin_nested():
                store.create("U3", connection=connection)  # released into the outer one
            outer.rollback()
        with connection.begin_nested():
            second = store.create("U4", connection=connection)
        with connection.begin_nested() as empty:
            empty.rollback()
    assert [record.job for record in log.records] == [first.job_id, second.job_id]


def test_a_refusal_in_a_hosts_transaction_tells_of_no_job(
    store: JobStore, host_engine: Engine, log: _Log
) -> None:
    """The job before it stays, and is told."""
    with host_engine.begin() as connection:
        store.create("U1", connection=connection)
        with pytest.raises(Exception, match="already being made"):
            store.create("U1", connection=connection)
    assert log.told() == [CREATED]


def test_what_a_refused_creation_did_first_is_not_told(
    store: JobStore, host_engine: Engine, log: _Log
) -> None:
    """It ends an overdue job and is then refused: its savepoint takes both back."""
    overdue = store.create("U1")
    store.move_clock_to_deadline(overdue.job_id)
    lost = store.intake.reserve("acme", IdempotencyKey(key_hash="k", fingerprint="f"))
    assert isinstance(lost, Reservation)
    store.intake.release(lost)
    before = log.told()
    with host_engine.begin() as connection:
        with pytest.raises(IdempotencyKeyInUse):
            store.create("U1", connection=connection, reservation=lost)
        other = store.create("U2", connection=connection)
    assert store.read(overdue.job_id).is_active
    assert log.told() == [*before, CREATED]
    assert log.told(other.job_id) == [CREATED]


@contextmanager
def _lost_commits(database: Database, *, keep: bool) -> Iterator[None]:
    """Let each COMMIT fail, after it was carried out or instead."""
    dialect: Any = database.engine.dialect

    def lose(connection: Any) -> None:
        (type(dialect).do_commit if keep else type(dialect).do_rollback)(dialect, connection)
        raise dialect.dbapi.OperationalError("the answer was lost")

    dialect.do_commit = lose
    try:
        yield
    finally:
        del dialect.do_commit
