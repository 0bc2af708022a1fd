"""Bursts from many threads at two services at once, at the edges of windows, while Redis comes and goes.

The clocks of the limiter and of the database stand still during a burst, however long it takes; what was
accepted when, the database's own record says. The wire to Redis has its faults in
`tests/faults/test_slow_broker.py`.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from sqlalchemy import BigInteger, bindparam, select

from sqr_jobs import ReportJobs
from sqr_jobs.adapters.sql.tables import job
from sqr_jobs.wiring import system_of
from tests.host.reports import report_jobs
from tests.http.conftest import FRAMEWORKS, Serve
from tests.servers.redis import RedisServer

if TYPE_CHECKING:
    from tests.http.clients import Client

pytestmark = pytest.mark.parametrize("form", ["distributed"], indirect=True)

_LIMIT, _WINDOW_S = 10, 600
_BURST = 24
_QUIET_S = 2 * _WINDOW_S + 60
_EDGES_S = (0, 1, 299, 300, 598, 599.5, 600.5, 601, 605, 900, 1_190)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """Give a Redis of one's own, to kill."""
    with RedisServer(appendonly=True) as server:
        server.start()
        yield server


class _Crowd:
    """Two services on one database and one Redis, and everybody who asks them at once."""

    def __init__(self) -> None:
        self._clients: list[Client] = []
        self._users = iter(range(1_000_000))
        self._now_s = time.time()

    def enter(self, serve_on: Serve, framework: str, **settings: Any) -> None:
        """Add a service that goes by the crowd's clock."""
        self._clients.append(serve_on(framework, self._report_jobs, **settings))

    def _report_jobs(self) -> ReportJobs:
        made = report_jobs()
        system = system_of(made)  # of whose database no statement is made yet
        system.database.now = bindparam("now", callable_=lambda: self.now_ms, type_=BigInteger)
        return made

    @property
    def now_ms(self) -> int:
        """Tell the time, for the limiters and the database."""
        return round(self._now_s * 1000)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._now_s += seconds

    def is_over(self) -> None:
        """End the breakers' pause, which runs by a clock that nobody can move."""
        for client in self._clients:
            client.system.limiter._breaker.reset()

    def burst(self, *, meanwhile: Callable[[], object] = lambda: None) -> int:
        """Ask for reports on as many people at once; return how many were accepted, none being an error."""
        barrier = threading.Barrier(_BURST + 1)

        def ask(number: int) -> int:
            barrier.wait(timeout=30)
            return (
                self._clients[number % len(self._clients)].post({"userId": f"U-{next(self._users)}"}).status
            )

        with time_machine.travel(self._now_s, tick=False), ThreadPoolExecutor(_BURST) as pool:
            asked = pool.map(ask, range(_BURST))
            barrier.wait(timeout=30)
            meanwhile()
            statuses = list(asked)
        assert set(statuses) <= {202, 429}
        return statuses.count(202)

    def accepted_at_ms(self) -> list[int]:
        """Read from the database when jobs were accepted."""
        with self._clients[0].system.database.read() as connection:
            return sorted(connection.execute(select(job.c.created_at)).scalars())


@pytest.fixture
def crowd(serve_on: Serve, redis: RedisServer) -> _Crowd:
    """Give two services, in two frameworks where both are there, and an empty Redis between them."""
    redis.start()
    redis.flush()
    crowd = _Crowd()
    for framework in (FRAMEWORKS[0], FRAMEWORKS[-1]):
        crowd.enter(serve_on, framework, broker_url=redis.url)
    return crowd


def _fullest(moments_ms: list[int]) -> int:
    """Count what lies in the fullest window that begins anywhere."""
    end = _WINDOW_S * 1000
    return max((sum(0 <= other - one < end for other in moments_ms) for one in moments_ms), default=0)


def test_bursts_at_the_edges_of_a_window_never_get_more_than_the_limit(crowd: _Crowd) -> None:
    """I12: a burst just before an edge and one just after it are the way to twice as much."""
    moments = []
    for before, at in zip((0, *_EDGES_S), _EDGES_S, strict=False):
        crowd.wait(at - before)
        moments += [crowd.now_ms] * crowd.burst()
    assert [round(moment - moments[0], -2) for moment in moments] == [0] * _LIMIT + [600_500] * _LIMIT
    assert crowd.accepted_at_ms() == moments


def test_bursts_while_redis_is_killed_and_comes_back_never_get_more(
    crowd: _Crowd, redis: RedisServer
) -> None:
    """I12: counted in Redis, in two memories that know nothing of each other, or only in the database."""
    assert crowd.burst() == _LIMIT
    redis.kill()
    crowd.wait(1)
    assert crowd.burst() == 0
    for back in (redis.start, lambda: redis.restart(empty=True)):
        crowd.wait(1)
        back()
        crowd.is_over()
        assert crowd.burst() == 0
    # A dead Redis does not shut the door either
    redis.kill()
    crowd.wait(_QUIET_S)
    assert crowd.burst() == _LIMIT
    redis.start()
    crowd.is_over()
    assert crowd.burst() == 0
    # And one that is killed in the middle of a burst
    crowd.wait(_QUIET_S)
    assert crowd.burst(meanwhile=redis.kill) == _LIMIT
    assert _fullest(crowd.accepted_at_ms()) == _LIMIT


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_to_redis_and_whenever_no_window_holds_more(
    crowd: _Crowd, redis: RedisServer, seed: int
) -> None:
    """I12: flapping, flushed, killed, restarted with its data or without, in any order, at any moment."""
    chance = random.Random(seed)  # the same in every run
    for _ in range(15):
        crowd.wait(chance.choice([0, 1, 59, 299, 598, 599, 601]) + chance.random())
        faults: list[Callable[[], object]] = [
            redis.start,
            redis.kill,
            lambda: (redis.start(), redis.flush()),
            lambda: redis.restart(empty=True),
        ]
        if chance.random() < 0.5:
            chance.choice(faults)()
        if chance.random() < 0.5:
            crowd.is_over()
        crowd.burst(meanwhile=chance.choice([redis.start, redis.kill, lambda: None, lambda: None]))
    moments = crowd.accepted_at_ms()
    assert _fullest(moments) == _LIMIT
    assert len(moments) >= 3 * _LIMIT
    redis.start()
    crowd.is_over()
    crowd.wait(_QUIET_S)
    assert crowd.burst() == _LIMIT
