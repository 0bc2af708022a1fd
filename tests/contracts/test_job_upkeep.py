"""What every job store promises to relay and reaper: no job is forgotten, and none is taken twice."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from sqr_jobs.adapters.sql import SqlJobUpkeep
from sqr_jobs.adapters.sql.tables import job
from sqr_jobs.domain.failures import JobErrorCode, RetryPolicy
from sqr_jobs.domain.states import JobState
from tests.contracts.job_store import SERVICE, WORKER, JobStore, document_of
from tests.databases import SERVERS


def _reaper_interrupted_by(store: JobStore, happening: Callable[[], object]) -> SqlJobUpkeep:
    """Make a reaper to which something happens between what it reads and what it writes."""

    class Interrupted:
        is_sqlite = store.database.is_sqlite
        now = store.database.now
        now_as_bound = store.database.now_as_bound
        read = store.database.read

        def begin(self):
            happening()
            return store.database.begin()

    return SqlJobUpkeep(Interrupted(), service=SERVICE, policy=RetryPolicy())


def test_due_jobs_are_counted_and_named_oldest_first(store: JobStore) -> None:
    """The relay rings for them: an order that starves one would show here."""
    assert (store.upkeep.count_due(), list(store.upkeep.due(10))) == (0, [])
    job_ids = []
    for number in range(4):
        job_ids.append(store.create(f"U{number}").job_id)
        store.move_clock(1)
    assert store.upkeep.count_due() == 4
    assert list(store.upkeep.due(10)) == job_ids
    assert list(store.upkeep.due(2)) == job_ids[:2]


def test_only_jobs_that_could_be_claimed_now_are_due(store: JobStore) -> None:
    """A ring for any other job would be a message about nothing."""
    store.claimed("U1")
    waiting = store.claimed("U2")
    store.execution.give_back(waiting, delay_ms=10_000)
    store.finish(store.claimed("U3"))
    store.create("U4", lifetime_s=5)
    store.move_clock(6)
    assert (store.upkeep.count_due(), list(store.upkeep.due(10))) == (0, [])
    store.move_clock(5)
    assert list(store.upkeep.due(10)) == [waiting.job.job_id]


def test_a_lease_that_ran_out_frees_the_job_at_once(store: JobStore) -> None:
    """I6: a worker died; its job must not wait for anything else."""
    claim = store.claimed()
    store.move_clock_to_expiry(claim)
    assert store.upkeep.reap_leases(100) == 1
    job = store.read(claim.job.job_id)
    assert (job.state, job.failures, job.crashes) == (JobState.RETRY_WAIT, 0, 1)
    assert (job.error_code, job.lease_until) == (JobErrorCode.WORKER_LOST, None)
    assert store.claim(job.job_id).job.attempt == 2


def test_the_history_tells_of_a_lost_worker(store: JobStore) -> None:
    """Operators see which attempt died."""
    claim = store.claimed()
    store.move_clock_to_expiry(claim)
    store.upkeep.reap_leases(100)
    event = store.history.history(claim.job.job_id)[-1]
    assert (event.why, event.attempt, event.token) == ("lose lease", 1, claim.token)
    assert (event.from_state, event.to_state) == (JobState.RUNNING, JobState.RETRY_WAIT)
    assert (event.error_code, event.worker) == (JobErrorCode.WORKER_LOST, WORKER)
    assert event.worker == store.history.history(claim.job.job_id)[1].worker


def test_a_job_that_lost_its_third_worker_is_failed(store: JobStore) -> None:
    """I9: a job that kills its workers must not kill them all."""
    job_id = store.create().job_id
    for _ in range(3):
        store.move_clock_to_expiry(store.claim(job_id))
        assert store.upkeep.reap_leases(100) == 1
    job = store.read(job_id)
    assert (job.state, job.error_code, job.crashes) == (JobState.FAILED, JobErrorCode.WORKER_LOST, 3)
    assert job.completed_at == job.updated_at
    assert store.story(job_id)[-1] == "fail"


def test_a_crashed_child_and_a_lost_worker_count_together(store: JobStore) -> None:
    """I9: the bound is on crashes, whoever reports them."""
    job_id = store.create().job_id
    store.execution.fail(store.claim(job_id), JobErrorCode.RENDER_CRASHED, "")
    for _ in range(2):
        store.move_clock_to_retry(job_id)
        store.move_clock_to_expiry(store.claim(job_id))
        store.upkeep.reap_leases(100)
    assert store.read(job_id).state is JobState.FAILED


def test_a_lease_that_holds_is_left_alone(store: JobStore) -> None:
    """A reaper that is early would run a job twice."""
    claim = store.claimed()
    store.move_clock(20)
    before = store.rows()
    assert store.upkeep.reap_leases(100) == 0
    assert store.rows() == before
    store.finish(claim)


def test_a_lease_renewed_under_the_reapers_eyes_is_left_alone(store: JobStore) -> None:
    """The write looks at the time again: what was read a moment ago may be wrong."""
    claim = store.claimed()
    store.move_clock_to_expiry(claim)
    reaper = _reaper_interrupted_by(store, lambda: store.renew(claim))
    assert reaper.reap_leases(100) == 0
    assert store.read(claim.job.job_id).state is JobState.RUNNING
    assert store.story(claim.job.job_id) == ["create", "claim"]
    store.finish(claim)


def test_a_job_completed_under_the_reapers_eyes_stays_complete(store: JobStore) -> None:
    """I3: the reaper's view is stale, and the document is there."""
    claim = store.claimed()
    store.move_clock_to_expiry(claim)
    done = document_of(claim)
    reaper = _reaper_interrupted_by(store, lambda: store.execution.complete(claim, done, duration_ms=1))
    assert reaper.reap_leases(100) == 0
    assert store.story(claim.job.job_id) == ["create", "claim", "complete"]


def test_a_job_claimed_anew_under_the_reapers_eyes_keeps_its_new_worker(store: JobStore) -> None:
    """I4: the reaper compares attempt and token with what it saw."""
    claim = store.claimed()
    store.move_clock_to_expiry(claim)
    other = JobStore(store.database)

    def given_back_and_claimed() -> None:
        if store.execution.give_back(claim, delay_ms=0):
            other.claim(claim.job.job_id)
            store.move_clock_to_expiry(claim)  # by now the new lease has run out too

    reaper = _reaper_interrupted_by(store, given_back_and_claimed)
    assert reaper.reap_leases(100) == 0
    assert store.read(claim.job.job_id).attempt == 2
    assert store.story(claim.job.job_id) == ["create", "claim", "give back", "claim"]


@pytest.mark.parametrize(
    "change",
    [{"state": JobState.RETRY_WAIT}, {"attempt": 2}, {"lease_token": "0" * 32}],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.parametrize("reap", ["reap_leases", "reap_deadlines"])
def test_a_job_that_changed_in_one_column_under_the_reapers_eyes_is_left_alone(
    store: JobStore, reap: str, change: dict[str, Any]
) -> None:
    """I4: state, attempt and token are compared each for itself, so none leans on the others."""
    claim = store.claimed(lifetime_s=300)
    if reap == "reap_leases":
        store.move_clock_to_expiry(claim)
    else:
        store.move_clock_to_deadline(claim.job.job_id)

    def changed_by_hand() -> None:
        with store.database.engine.begin() as connection:
            connection.execute(update(job).values(**change))

    reaper = _reaper_interrupted_by(store, changed_by_hand)
    assert getattr(reaper, reap)(100) == 0
    assert store.story(claim.job.job_id) == ["create", "claim"]


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.RETRY_WAIT], ids=str)
def test_a_job_past_its_deadline_is_ended_wherever_it_stands(store: JobStore, state: JobState) -> None:
    """I6: nothing that is active escapes its end."""
    job_id = store.create(lifetime_s=300).job_id
    if state is not JobState.QUEUED:
        claim = store.claim(job_id)
        if state is JobState.RETRY_WAIT:
            store.execution.give_back(claim, delay_ms=0)
    store.move_clock_to_deadline(job_id)
    assert store.upkeep.reap_leases(100) == 0
    assert store.upkeep.reap_deadlines(100) == 1
    job = store.read(job_id)
    assert (job.state, job.error_code) == (JobState.FAILED, JobErrorCode.DEADLINE_EXCEEDED)
    assert (job.completed_at, job.lease_until) == (job.updated_at, None)
    last = store.history.history(job_id)[-1]
    assert (last.why, last.from_state, last.to_state) == ("pass deadline", state, JobState.FAILED)


def test_a_job_within_its_time_is_not_ended(store: JobStore) -> None:
    """I6: the deadline is a promise to the client too."""
    job = store.create(lifetime_s=300)
    store.move_clock(295)
    assert store.upkeep.reap_deadlines(100) == 0
    assert store.read(job.job_id).state is JobState.QUEUED


def test_the_deadline_keeps_the_last_failure_for_operators(store: JobStore) -> None:
    """DEADLINE_EXCEEDED alone does not say what to repair."""
    claim = store.claimed(lifetime_s=300)
    store.execution.fail(claim, JobErrorCode.STORAGE_UNAVAILABLE, "down")
    store.move_clock_to_deadline(claim.job.job_id)
    store.upkeep.reap_deadlines(100)
    assert store.read(claim.job.job_id).error_code is JobErrorCode.DEADLINE_EXCEEDED
    assert "STORAGE_UNAVAILABLE" in (store.history.history(claim.job.job_id)[-1].cause or "")


def test_a_job_whose_child_never_started_says_so_at_its_deadline(store: JobStore) -> None:
    """A deployment whose workers can't start a child is not a slow one."""
    claim = store.claimed(lifetime_s=300)
    cause, code = "the factory raised: no licence", JobErrorCode.RENDER_START_FAILED
    store.execution.give_back(claim, delay_ms=5_000, code=code, cause=cause)
    assert store.history.history(claim.job.job_id)[-1].cause == cause
    assert store.read(claim.job.job_id).failures == 0
    store.move_clock_to_deadline(claim.job.job_id)
    store.upkeep.reap_deadlines(100)
    assert store.read(claim.job.job_id).error_code is code


@pytest.mark.parametrize("database", SERVERS, indirect=True)
def test_a_row_that_somebody_locks_holds_up_no_other(store: JobStore) -> None:
    """I6: a host's open transaction, or a worker that stands still in the middle of one, locks one row."""
    claims = [store.claimed(f"U{number}", lifetime_s=300) for number in range(3)]
    store.move_clock_to_deadline(claims[-1].job.job_id)
    with store.locked(claims[0]):
        assert store.upkeep.reap_deadlines(100) == 2
        assert store.upkeep.reap_leases(100) == 0
    assert store.upkeep.reap_deadlines(100) == 1


def test_jobs_that_ended_are_never_reaped(store: JobStore) -> None:
    """I3: they lie there for days, past every instant."""
    store.finish(store.claimed("U1"))
    store.execution.fail(store.claimed("U2"), JobErrorCode.RENDER_FAILED, "")
    store.move_clock(100_000)
    before = store.rows()
    assert (store.upkeep.reap_leases(100), store.upkeep.reap_deadlines(100)) == (0, 0)
    assert store.rows() == before


def test_a_reaper_takes_no_more_than_it_was_asked_to(store: JobStore) -> None:
    """A batch is bounded, so a thousand lost jobs do not hold up the first."""
    for number in range(5):
        store.claimed(f"U{number}", lifetime_s=300)
    store.move_clock(31)
    assert [store.upkeep.reap_leases(2) for _ in range(3)] == [2, 2, 1]
    store.move_clock(300)
    assert [store.upkeep.reap_deadlines(2) for _ in range(3)] == [2, 2, 1]
