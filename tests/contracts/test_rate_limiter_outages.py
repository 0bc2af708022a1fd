"""A limiter whose storage is dead, silent or slow: one request waits a moment, and no other."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from limits.storage import MemoryStorage, storage_from_string

from sqr_jobs.adapters.limits_limiter import LimitsRateLimiter, ShelteredRateLimiter, limiter_for
from sqr_jobs.domain.rate_limit import RateLimit
from sqr_jobs.errors import LimiterUnavailable
from sqr_jobs.ports import Quota
from tests.contracts.sockets import HangingLookUp, nothing_there, silent_server
from tests.contracts.windows import TWO, Window
from tests.servers.ports import wait_until


@pytest.mark.parametrize("broken", [nothing_there, silent_server], ids=lambda broken: broken.__name__)
def test_a_redis_out_of_reach_costs_one_request_a_moment_and_nothing_else(
    broken: Callable[[], AbstractContextManager[int]],
) -> None:
    """I16: the fallback counts in memory, and the breaker spares every further request the wait."""
    times = []
    for _ in range(3):  # the best of three: the promise is about us, not about a busy machine
        with broken() as port:
            limiter = Window(limiter_for(f"redis://:secret@127.0.0.1:{port}/0"), TWO)
            started = time.monotonic()
            first = limiter.hit("acme")
            times.append(time.monotonic() - started)
            assert first.remaining == 1
            started = time.monotonic()
            assert [limiter.hit("acme").allowed for _ in range(50)] == [True] + [False] * 49
            assert time.monotonic() - started < 1
    assert min(times) < 0.3


@pytest.mark.parametrize("broken", [nothing_there, silent_server], ids=lambda broken: broken.__name__)
def test_a_storage_that_fails_is_unavailable_in_words_that_tell_nothing_of_it(
    broken: Callable[[], AbstractContextManager[int]],
) -> None:
    """I15: the text goes to the log."""
    with broken() as port:
        url = f"redis://:secret@127.0.0.1:{port}/0?socket_timeout=0.1&socket_connect_timeout=0.1"
        storage = storage_from_string(url, wrap_exceptions=True)
        with pytest.raises(LimiterUnavailable) as caught:
            LimitsRateLimiter(storage).hit("acme", TWO)
        for private in ("secret", "127.0.0.1", str(port), "acme"):
            assert private not in str(caught.value)
        storage.storage.close()


class _Shared:
    """A shared limiter that is there or not, as the test says."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_up = False
        self.takes: Callable[[], None] = lambda: None

    def hit(self, org_id: str, limit: RateLimit) -> Quota:
        self.asked += 1
        self.takes()
        if not self.is_up:
            raise LimiterUnavailable("gone")
        return Quota(allowed=True, limit=99, window_s=1, remaining=98, reset_s=1)


def _sheltered(shared: _Shared, now: list[float]) -> ShelteredRateLimiter:
    return ShelteredRateLimiter(shared, LimitsRateLimiter(MemoryStorage()), now=lambda: now[0])


def test_the_breaker_asks_again_after_five_seconds_and_not_before() -> None:
    """A storage that swallows packets costs one request its timeout, not every request."""
    now, shared = [100.0], _Shared()
    limiter = Window(_sheltered(shared, now), TWO)
    assert [limiter.hit("acme").allowed for _ in range(4)] == [True, True, False, False]
    assert shared.asked == 1
    now[0] += 4.9
    limiter.hit("acme")
    assert shared.asked == 1
    now[0] += 0.2
    limiter.hit("acme")
    assert shared.asked == 2
    now[0] += 5.1
    shared.is_up = True
    assert [limiter.hit("acme").limit for _ in range(3)] == [99] * 3
    assert shared.asked == 5


def test_a_storage_that_crawls_is_left_alone_for_five_seconds() -> None:
    """Each answer in time, and all of them slow: that would be a wait for every request."""
    now, shared = [100.0], _Shared()
    shared.is_up = True
    limiter = Window(_sheltered(shared, now), TWO)

    def crawl() -> None:
        now[0] += 0.12

    shared.takes = crawl
    assert [limiter.hit("acme").limit for _ in range(3)] == [99, 2, 2]
    assert shared.asked == 1
    shared.takes = lambda: None
    now[0] += 5
    assert [limiter.hit("acme").limit for _ in range(3)] == [99] * 3


def test_a_host_name_whose_look_up_hangs_costs_one_request_a_moment(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No socket's timeout bounds the resolver: the default one waits for half a minute."""
    look_up = HangingLookUp(monkeypatch)
    now = [100.0]
    limiter = limiter_for(redis_url)
    assert isinstance(limiter, ShelteredRateLimiter)
    limiter._now = lambda: now[0]
    window = Window(limiter, TWO)
    began = time.monotonic()
    for _ in range(5):
        assert window.hit("acme").limit == 2
        assert limiter.is_sheltering
        now[0] += 6
    assert time.monotonic() - began < 1
    assert len(look_up.asked) == 1, "the thread that hangs is not joined by another with each request"
    look_up.answer()
    look_up.asked[0].join(10)

    def is_back() -> bool:
        now[0] += 6
        window.hit("acme")
        return not limiter.is_sheltering

    wait_until(is_back, seconds=10, what="the shared window")


def _without_threads(monkeypatch: pytest.MonkeyPatch, memory: LimitsRateLimiter) -> None:
    """Let no thread be started any more; what the storage in memory has running ends first."""
    storage = memory._limiter.storage
    assert isinstance(storage, MemoryStorage)
    storage.timer.join(10)

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)


@pytest.mark.usefixtures("patient_redis")
def test_a_process_out_of_threads_lets_requests_through_to_the_databases_ceiling(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is made in a thread, and the memory tidied in one: that is an outage, not a 500."""
    now, limiter = [100.0], limiter_for(redis_url)
    assert isinstance(limiter, ShelteredRateLimiter)
    assert isinstance(limiter._fallback, LimitsRateLimiter)
    limiter._now = lambda: now[0]
    with monkeypatch.context() as threads:
        _without_threads(threads, limiter._fallback)
        for _ in range(3):
            quota = Window(limiter, TWO).hit("acme")
            assert (quota.allowed, quota.limit, quota.remaining, quota.reset_s) == (True, 2, 1, 600)
        assert limiter.is_sheltering
    now[0] += 6
    assert [Window(limiter, TWO).hit("acme").allowed for _ in range(3)] == [True, True, False]
    assert not limiter.is_sheltering


def test_a_limiter_in_memory_without_threads_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has nothing to fall back to: the client is told to come again."""
    limiter = limiter_for("memory://")
    assert isinstance(limiter, LimitsRateLimiter)
    _without_threads(monkeypatch, limiter)
    with pytest.raises(LimiterUnavailable, match="no more threads"):
        limiter.hit("acme", TWO)
