"""What every rate limiter promises: never more than so many in any window, and no error of its own.

Declared: a limiter counts by its process's clock, so machines whose clocks differ count differently. The
ceiling in SQL (`test_job_intake.py`) counts by the database's.
"""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from limits.storage import MemoryStorage, storage_from_string
from redis import Redis

from sqr_jobs.adapters.limits_limiter import LimitsRateLimiter, limiter_for
from sqr_jobs.domain.rate_limit import RateLimit
from sqr_jobs.errors import ConfigurationError
from sqr_jobs.ports import Quota
from tests.contracts.windows import TWO, WINDOW_S, Window

LIMIT = 5
START = 1_800_000_000.5


Make = Callable[..., Window]


@pytest.fixture(params=["memory", "Redis"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Give what makes a limiter over each storage."""
    if request.param == "memory":
        storage = MemoryStorage()
    else:
        storage = storage_from_string(request.getfixturevalue("redis_url"), wrap_exceptions=True)
    limiter = LimitsRateLimiter(storage)
    yield lambda limit=LIMIT, window_s=WINDOW_S: Window(limiter, RateLimit(requests=limit, window_s=window_s))
    if request.param == "Redis":
        storage.storage.close()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pauses=st.lists(
        st.one_of(st.just(0.0), st.floats(0.001, 50), st.floats(100, 599.999), st.just(float(WINDOW_S))),
        min_size=10,
        max_size=40,
    )
)
def test_no_window_anywhere_lets_more_than_the_limit_through(make: Make, pauses: list[float]) -> None:
    """The contract says any ten minutes: windows with edges let nearly twice as many through."""
    limiter, org, let_through = make(), uuid.uuid4().hex, []
    with time_machine.travel(START, tick=False) as clock:
        for pause in pauses:
            clock.shift(pause)
            quota = limiter.hit(org)
            begin = time.time() - WINDOW_S
            within = len([at for at in let_through if at > begin])
            # What lies exactly one window back may still count: that errs on the safe side.
            with_edge = len([at for at in let_through if at >= begin - 0.001])
            if quota.allowed:
                assert within < LIMIT
                assert LIMIT - with_edge - 1 <= quota.remaining <= LIMIT - within - 1
                let_through.append(time.time())
            else:
                assert with_edge >= LIMIT
                assert quota.remaining == 0


def test_requests_that_are_refused_are_not_counted(make: Make) -> None:
    """A client that keeps knocking is let in as soon as one that waits."""
    limiter = make()
    with time_machine.travel(START, tick=False) as clock:
        assert [limiter.hit("acme").allowed for _ in range(LIMIT + 3)] == [True] * LIMIT + [False] * 3
        for _ in range(20):
            clock.shift(29)
            assert not limiter.hit("acme").allowed
        clock.shift(20.001)
        assert limiter.hit("acme") == Quota(
            allowed=True, limit=LIMIT, window_s=WINDOW_S, remaining=LIMIT - 1, reset_s=WINDOW_S
        )


def test_remaining_and_reset_tell_what_the_next_request_will_meet(make: Make) -> None:
    """`RateLimit: r, t` and Retry-After are these numbers."""
    limiter, seen = make(), []
    with time_machine.travel(START, tick=False) as clock:
        for _ in range(LIMIT + 1):
            quota = limiter.hit("acme")
            seen.append((quota.allowed, quota.remaining, quota.reset_s))
            clock.shift(60)
        assert seen == [
            (True, 4, 600), (True, 3, 540), (True, 2, 480), (True, 1, 420), (True, 0, 360), (False, 0, 300),
        ]  # fmt: skip
        quota = limiter.hit("acme")
        clock.shift(quota.reset_s - 1)
        assert not limiter.hit("acme").allowed
        clock.shift(1.001)
        assert limiter.hit("acme").allowed
        assert not limiter.hit("acme").allowed


def test_the_seconds_to_wait_are_never_none_and_never_more_than_the_window(make: Make) -> None:
    """`Retry-After: 0` would be an invitation to a busy loop."""
    limiter = make(limit=1, window_s=2)
    with time_machine.travel(START, tick=False) as clock:
        for _ in range(30):
            assert 1 <= limiter.hit("acme").reset_s <= 2
            clock.shift(0.23)


@pytest.mark.parametrize("raised", [7, 50])
def test_a_limit_that_is_raised_or_lowered_keeps_what_was_counted(make: Make, raised: int) -> None:
    """An org that buys more gets the difference, not a new window, and one that pays less waits."""
    small = make()
    large = small.of(raised)
    with time_machine.travel(START, tick=False) as clock:
        assert [small.hit("acme").allowed for _ in range(LIMIT + 1)] == [True] * LIMIT + [False]
        clock.shift(1)
        let_through = [large.hit("acme").allowed for _ in range(raised)]
        assert let_through == [True] * (raised - LIMIT) + [False] * LIMIT
        refused = small.hit("acme")
        assert (refused.allowed, refused.limit, refused.remaining) == (False, LIMIT, 0)


def test_each_org_has_a_window_of_its_own(make: Make) -> None:
    """One client's zeal costs another nothing, were its name only a byte away."""
    limiter = make(limit=1)
    orgs = ["acme", "ACME", "acme ", "acme/1", "acme:1", "\u00e9", "e\u0301", "*", "a" * 255]
    assert [limiter.hit(org).allowed for org in orgs] == [True] * len(orgs)
    assert [limiter.hit(org).allowed for org in orgs] == [False] * len(orgs)


def test_of_many_requests_at_once_only_the_limit_is_let_through(make: Make) -> None:
    """Looking and counting are one step."""
    limiter, barrier = make(limit=10), threading.Barrier(32)

    def hit(_number: int) -> bool:
        barrier.wait(timeout=30)
        return limiter.hit("acme").allowed

    with ThreadPoolExecutor(32) as pool:
        assert Counter(pool.map(hit, range(32))) == {True: 10, False: 22}


def test_a_redis_that_forgets_everything_is_no_error(redis_url: str) -> None:
    """I7: FLUSHALL and a lost script cache cost the count and nothing else."""
    storage = storage_from_string(redis_url, wrap_exceptions=True)
    limiter = Window(LimitsRateLimiter(storage), TWO)
    with Redis.from_url(redis_url) as client:
        assert [limiter.hit("acme").remaining for _ in range(2)] == [1, 0]
        client.flushall()
        assert limiter.hit("acme").remaining == 1
        client.script_flush()
        assert limiter.hit("acme").remaining == 0
    storage.storage.close()


@pytest.mark.parametrize(
    "url", ["", "nonsense", "redis://:secret@host:port/0", "memcached://host:11211", "http://host"]
)
def test_a_limiter_url_that_does_not_serve_is_refused_in_a_sentence(url: str) -> None:
    """At the start, with the variable to set, and without the password that stands in it."""
    with pytest.raises(ConfigurationError) as caught:
        limiter_for(url)
    assert "SQR_JOBS_LIMITER_URL" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
