"""How long an attempt may believe that a job is its own."""

import threading
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.errors import AttemptAborted, AttemptFailed, DatabaseUnavailable, LeaseLost
from sqr_jobs.leases import Lease, LeaseKeeper
from tests.servers.ports import wait_until
from tests.unit.fakes import Clock, FakeExecution, claim_of


def _lease(clock: Clock, *, fence_s: float = 25, limit_s: float = 60, left_s: float = 300) -> Lease:
    return Lease(claim_of(left_s=left_s), claimed_at=clock(), fence_s=fence_s, limit_s=limit_s, now=clock)


def _keeper(jobs: FakeExecution, clock: Clock, *, heartbeat_s: float = 3600) -> LeaseKeeper:
    return LeaseKeeper(jobs, heartbeat_s=heartbeat_s, fence_s=25, limit_s=60, now=clock)


def test_a_lease_ends_at_its_fence() -> None:
    """The fence lies before the moment when the database lets others take the job."""
    clock = Clock()
    lease = _lease(clock)
    assert lease.left() == lease.rendering_left() == 25
    clock.move(24)
    lease.check()
    clock.move(1)
    assert lease.left() == 0
    with pytest.raises(LeaseLost):
        lease.check()


def test_a_renewal_moves_the_fence_and_never_back() -> None:
    """A renewal that was sent earlier and answered later must not shorten the lease."""
    clock = Clock()
    lease = _lease(clock)
    lease.extend(clock() + 33)
    assert lease.left() == 33
    lease.extend(clock() + 30)
    assert lease.left() == 33


def test_no_renewal_moves_the_deadline() -> None:
    """I6: after it the job is FAILED, whatever this process does."""
    clock = Clock()
    lease = _lease(clock, left_s=40)
    lease.extend(clock() + 1_000)
    assert lease.left() == 40
    clock.move(40)
    with pytest.raises(LeaseLost):
        lease.check()


def test_rendering_ends_at_the_attempts_limit_while_the_lease_goes_on() -> None:
    """I14: the time that is left is for recording the failure."""
    clock = Clock()
    lease = _lease(clock, fence_s=100, limit_s=60)
    assert lease.rendering_limit() == 60
    clock.move(60)
    assert (lease.rendering_left(), lease.left()) == (0, 40)
    with pytest.raises(AttemptFailed) as caught:
        lease.check()
    assert caught.value.code is JobErrorCode.RENDER_TIMEOUT


def test_the_limit_for_the_child_counts_on_every_renewal() -> None:
    """Its timer can't be moved, so it is set for the longest that the attempt may take."""
    clock = Clock()
    assert _lease(clock, fence_s=25, limit_s=60).rendering_limit() == 60
    assert _lease(clock, fence_s=25, limit_s=60, left_s=10).rendering_limit() == 10


def test_an_attempt_that_is_aborted_has_no_time_left_and_goes_back() -> None:
    """A worker that shuts down says so, whatever else is over by then."""
    clock = Clock()
    lease = _lease(clock)
    lease.abort()
    assert lease.left() == 0
    assert lease.rendering_left() <= 0
    with pytest.raises(AttemptAborted):
        lease.check()


def test_a_lease_that_was_lost_has_no_time_left() -> None:
    """I4: another attempt may own the job by now."""
    lease = _lease(Clock())
    lease.lose()
    assert lease.left() < 0
    with pytest.raises(LeaseLost):
        lease.check()


@given(
    fence_s=st.floats(0, 100),
    limit_s=st.floats(0, 100),
    left_s=st.integers(-10, 100),
    passed_s=st.floats(0, 200),
    change=st.sampled_from([lambda lease: None, Lease.lose, Lease.abort]),
)
def test_no_lease_leaves_more_time_than_any_of_its_ends(
    *, fence_s: float, limit_s: float, left_s: int, passed_s: float, change: Callable[[Lease], None]
) -> None:
    """Whatever the order in which fence, limit and deadline lie."""
    clock = Clock()
    lease = _lease(clock, fence_s=fence_s, limit_s=limit_s, left_s=left_s)
    change(lease)
    clock.move(passed_s)
    assert lease.left() <= max(min(fence_s, left_s) - passed_s, 0) + 1e-6
    assert lease.rendering_left() <= min(lease.left(), limit_s - passed_s) + 1e-6
    if lease.rendering_left() <= 0:
        assert isinstance(lease.ending(), (AttemptAborted, LeaseLost, AttemptFailed))


def test_the_keeper_moves_a_fence_by_the_time_before_it_sent() -> None:
    """The database counts from when it got the renewal, which is never earlier than that."""
    clock, jobs = Clock(), FakeExecution()
    keeper = _keeper(jobs, clock)
    renew = jobs.renew
    jobs.renew = lambda claims: clock.move(3) or renew(claims)  # a slow database
    with keeper.hold(claim_of(), claimed_at=clock()) as lease:
        clock.move(10)
        keeper.renew_all()
        assert lease.left() == 22
    keeper.stop()


def test_the_keeper_ends_an_attempt_that_the_database_disowned() -> None:
    """I4: at the next heartbeat, not at the end of the fence."""
    clock, jobs = Clock(), FakeExecution()
    keeper = _keeper(jobs, clock)
    with keeper.hold(claim_of(), claimed_at=clock()) as lost:
        jobs.owns_the_job = False
        keeper.renew_all()
        assert lost.left() < 0
    keeper.stop()


def test_a_database_out_of_reach_leaves_a_lease_to_its_fence() -> None:
    """An outage of ten seconds must not cost an attempt; one of a minute does."""
    clock, jobs = Clock(), FakeExecution()
    keeper = _keeper(jobs, clock)
    jobs.raises["renew"] = [DatabaseUnavailable("away")]
    with keeper.hold(claim_of(), claimed_at=clock()) as lease:
        clock.move(8)
        keeper.renew_all()
        assert lease.left() == 17
        clock.move(8)
        keeper.renew_all()
        assert lease.left() == 25
    keeper.stop()


def test_a_lease_whose_row_somebody_locks_stands_and_keeps_no_other_from_its_renewal() -> None:
    """An operator's open transaction is no reason to end an attempt: its fence is."""
    clock, jobs = Clock(), FakeExecution()
    keeper = _keeper(jobs, clock)
    jobs.locked = {"a"}
    with (
        keeper.hold(claim_of(token="a"), claimed_at=clock()) as locked,
        keeper.hold(claim_of(token="b"), claimed_at=clock()) as free,
    ):
        clock.move(8)
        keeper.renew_all()
        assert (locked.left(), free.left()) == (17, 25)
    keeper.stop()


def test_many_leases_are_renewed_in_one_question() -> None:
    """One after the other, a database that takes seconds to answer would cost the last ones their fences."""
    clock, jobs = Clock(), FakeExecution()
    keeper = _keeper(jobs, clock)
    with ExitStack() as held:
        for number in range(8):
            held.enter_context(keeper.hold(claim_of(token=str(number)), claimed_at=clock()))
        keeper.renew_all()
        assert jobs.names() == ["renew"]
    keeper.stop()


def test_a_lease_is_kept_for_as_long_as_it_is_held() -> None:
    """Renewing a job that ended would only be noise, and so would aborting it."""
    clock, jobs = Clock(), FakeExecution()
    keeper = _keeper(jobs, clock)
    with keeper.hold(claim_of(), claimed_at=clock()) as lease:
        keeper.renew_all()
    keeper.renew_all()
    keeper.abort_all()
    assert jobs.names() == ["renew"]
    assert lease.left() == 25
    keeper.stop()


def test_an_abort_ends_every_attempt_of_the_process() -> None:
    """A shutdown gives back what does not end in time."""
    clock = Clock()
    keeper = _keeper(FakeExecution(), clock)
    with (
        keeper.hold(claim_of(), claimed_at=clock()) as first,
        keeper.hold(claim_of(), claimed_at=clock()) as second,
    ):
        keeper.abort_all()
        assert isinstance(first.ending(), AttemptAborted)
        assert isinstance(second.ending(), AttemptAborted)
    keeper.stop()


def test_an_attempt_that_was_being_claimed_at_the_abort_ends_too() -> None:
    """Else it would render on until the whole process is killed, and count as a crash."""
    clock = Clock()
    keeper = _keeper(FakeExecution(), clock)
    keeper.abort_all()
    with keeper.hold(claim_of(), claimed_at=clock()) as late:
        assert isinstance(late.ending(), AttemptAborted)
    keeper.stop()


def test_a_thread_that_could_not_start_is_started_with_the_next_claim(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process that was out of threads for a moment must not lose every lease from then on."""
    clock, jobs = Clock(), FakeExecution()
    keeper = _keeper(jobs, clock, heartbeat_s=0.01)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", _refuse)
        with pytest.raises(RuntimeError, match="can't start"), keeper.hold(claim_of(), claimed_at=clock()):
            pass
    keeper.renew_all()
    assert jobs.names() == []
    with keeper.hold(claim_of(), claimed_at=clock()):
        wait_until(lambda: jobs.calls, seconds=10, what="a heartbeat")
    keeper.stop()


def _refuse(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_the_keepers_thread_renews_by_itself_and_survives_any_fault() -> None:
    """A fault of one heartbeat must not end all leases of the process for good."""
    clock, jobs = Clock(), FakeExecution()
    jobs.raises["renew"] = [ZeroDivisionError()]
    keeper = _keeper(jobs, clock, heartbeat_s=0.01)
    with keeper.hold(claim_of(), claimed_at=clock()):
        wait_until(lambda: len(jobs.calls) > 3, seconds=10, what="a few heartbeats")
    keeper.stop()
    calls = len(jobs.calls)
    with keeper.hold(claim_of(), claimed_at=clock()):
        assert len(jobs.calls) == calls
