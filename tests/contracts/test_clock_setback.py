"""What every job store promises when the database's clock is set back: rows from the future count as now."""

from typing import Any

import pytest
from sqlalchemy import select, update

from sqr_jobs.adapters.sql.tables import job as table
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import IdempotencyKey, Job, Reservation
from sqr_jobs.domain.states import JobState
from sqr_jobs.errors import RateLimited
from tests.contracts.job_store import CEILING, LEASE_S, RETENTION_S, JobStore

HOUR_S = 3_600
KEY = IdempotencyKey(key_hash="a" * 64, fingerprint="b" * 64)

pytestmark = pytest.mark.parametrize("back_s", [60, HOUR_S])


def _set_back(store: JobStore, seconds: float) -> int:
    """Set the clock back, and do the reaper's round; the number of jobs moved."""
    store.move_clock(-seconds)
    return store.upkeep.rewind(100)


def test_a_job_that_waits_for_its_next_attempt_waits_no_longer(store: JobStore, back_s: int) -> None:
    """Its user would be refused a new one meanwhile."""
    claim = store.claimed()
    store.execution.fail(claim, JobErrorCode.STORAGE_UNAVAILABLE, "")
    assert _set_back(store, back_s) == 1
    assert store.upkeep.rewind(100) == 0
    store.move_clock(2)
    assert store.claim(claim.job.job_id).job.attempt == 2


def test_an_orgs_window_moves_on(store: JobStore, back_s: int) -> None:
    """I12 holds, and Retry-After is right: ten minutes from now on, jobs of every state included."""
    for number in range(10):
        created = store.create(f"U{number}", ceiling=CEILING)
        if number % 2:
            store.finish(store.claim(created.job_id))
    assert _set_back(store, back_s) == 10
    with pytest.raises(RateLimited) as refused:
        store.create("U10", ceiling=CEILING)
    assert CEILING.window_s - 10 < refused.value.retry_after_s <= CEILING.window_s
    store.move_clock(refused.value.retry_after_s)
    store.create("U10", ceiling=CEILING)


@pytest.mark.parametrize("state", ["QUEUED", "RUNNING", "RETRY_WAIT"])
def test_no_job_has_more_time_left_than_it_was_given(store: JobStore, back_s: int, state: str) -> None:
    """I6: client and server agree on the end."""
    job = store.create(lifetime_s=300)
    if state != "QUEUED":
        claim = store.claim(job.job_id)
        if state == "RETRY_WAIT":
            store.execution.give_back(claim, delay_ms=0)
    _set_back(store, back_s)
    assert _left_ms(store.read(job.job_id)) <= 300_000
    store.move_clock(300)
    assert store.upkeep.reap_deadlines(5) == 1


def test_a_job_that_changed_since_keeps_its_bounds(store: JobStore, back_s: int) -> None:
    """The clock is set back, and a worker is faster than the reaper's round."""
    waiting, ended = store.create("U1", lifetime_s=300), store.create("U2")
    store.move_clock(-back_s)
    with store.database.begin() as connection:  # else it would not be due yet
        connection.execute(update(table).values(available_at=1))
    store.execution.give_back(store.claim(waiting.job_id), delay_ms=0)
    store.finish(store.claim(ended.job_id))
    assert store.upkeep.rewind(100) == 1
    assert _left_ms(store.read(waiting.job_id)) <= 300_000
    with store.database.read() as connection:
        now, newest = connection.execute(
            select(store.database.now, table.c.accepted_at).order_by(table.c.accepted_at.desc())
        ).first() or (0, 0)
    assert newest <= now


def test_a_dead_workers_job_is_taken_within_a_lease(store: JobStore, back_s: int) -> None:
    """And a worker that lives keeps its job, which its next heartbeat renews."""
    dead, alive = store.claimed("U1", lifetime_s=7_200), store.claimed("U2", lifetime_s=7_200)
    store.move_clock(20)
    assert store.renew(dead)
    assert _set_back(store, back_s) == 2
    assert store.upkeep.reap_leases(5) == 0
    store.move_clock(LEASE_S - 1)
    assert store.renew(alive)
    store.move_clock(1)
    assert store.upkeep.reap_leases(5) == 1
    assert store.read(dead.job.job_id).state is JobState.RETRY_WAIT


def test_a_document_expires_and_is_deleted_in_time(store: JobStore, back_s: int) -> None:
    """A person's data is kept for as long as was said, whatever the clock said meanwhile."""
    claim = store.claimed()
    store.finish(claim)
    _set_back(store, back_s)
    assert not store.read(claim.job.job_id).document_expired
    store.move_clock(RETENTION_S)
    assert store.read(claim.job.job_id).document_expired
    store.move_clock(HOUR_S)
    assert store.collect() == [claim.document_key]


def test_an_idempotency_key_is_free_in_time(store: JobStore, back_s: int) -> None:
    """That of a process that died, and that of a 202."""
    assert isinstance(store.intake.reserve("acme", KEY), Reservation)
    recorded = store.intake.reserve("other", KEY)
    assert isinstance(recorded, Reservation)
    store.create(org_id="other", reservation=recorded)
    _set_back(store, back_s)
    store.move_clock(11)
    assert store.intake.answered("acme", KEY) is None
    assert store.intake.answered("other", KEY) is not None
    store.move_clock(24 * HOUR_S)
    assert store.intake.answered("other", KEY) is None


def test_nothing_is_moved_that_lies_in_the_future_by_right(store: JobStore, back_s: int) -> None:
    """Deadlines, delays, leases and expiries are all ahead; a clock that stands by is no reason."""
    store.create("U1", lifetime_s=7_200)
    store.claimed("U2", lifetime_s=7_200)
    store.execution.give_back(store.claimed("U3"), delay_ms=60_000)
    store.finish(store.claimed("U4"))
    store.create("U5", reservation=_reserved(store))
    store.move_clock(back_s)
    before = _instants(store)
    assert _set_back(store, 0.3) == 0
    assert _instants(store) == before


def _reserved(store: JobStore) -> Reservation:
    reservation = store.intake.reserve("acme", KEY)
    assert isinstance(reservation, Reservation)
    return reservation


def _left_ms(job: Job) -> int:
    return job.deadline_at - job.as_of


def _instants(store: JobStore) -> list[Any]:
    return store.rows()[0]
