"""A ring takes a moment or fails, whatever the broker does: the row is committed, and the relay comes."""

import contextlib
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

import dramatiq
import pytest
import redis

from sqr_jobs.actors import ACTOR, QUEUE, declare_actors
from sqr_jobs.adapters.dramatiq_queue import DramatiqQueue
from sqr_jobs.adapters.embedded_worker import InProcessBroker
from sqr_jobs.adapters.limits_limiter import ShelteredRateLimiter, limiter_for
from sqr_jobs.adapters.redis_broker import relaying_broker, ringing_broker
from sqr_jobs.domain.rate_limit import RateLimit
from sqr_jobs.errors import QueueUnavailable
from tests.contracts.queues import JOB_ID, queue_on
from tests.contracts.sockets import HangingLookUp, nothing_there, silent_server
from tests.servers.ports import wait_until
from tests.servers.proxy import Proxy


@pytest.mark.parametrize("broken", [nothing_there, silent_server], ids=lambda broken: broken.__name__)
def test_a_broker_out_of_reach_costs_a_moment_once(
    broken: Callable[[], AbstractContextManager[int]],
) -> None:
    """I16: the row is committed, so the client must not wait for a doorbell that is broken."""
    times = []
    for _ in range(3):  # the best of three: the promise is about us, not about a busy machine
        with broken() as port:
            broker = ringing_broker(f"redis://:secret@127.0.0.1:{port}/0")
            queue = queue_on(broker)
            started = time.monotonic()
            with pytest.raises(QueueUnavailable) as caught:
                queue.ring(JOB_ID)
            times.append(time.monotonic() - started)
            for private in ("secret", "127.0.0.1", str(port), JOB_ID):
                assert private not in str(caught.value)
            started = time.monotonic()
            for _ in range(50):
                with pytest.raises(QueueUnavailable):
                    queue.ring(JOB_ID)
            assert time.monotonic() - started < 1
            broker.client.close()
    assert min(times) < 0.3


@pytest.mark.parametrize("part", ["ring", "limiter"])
def test_an_address_lifts_no_bound(redis_url: str, part: str) -> None:
    """I16: an address is often written for another client, and a request waited 5 s for a silent broker."""
    now = [0.0]
    lifted = "socket_timeout=5&socket_connect_timeout=5&retry_on_timeout=yes&health_check_interval=1"
    with Proxy(urlsplit(redis_url).port or 6379) as wire:
        url = f"redis://127.0.0.1:{wire.port}/0?{lifted}&max_connections=1"
        queue, limiter = queue_on(ringing_broker(url), lambda: now[0]), limiter_for(url)
        assert isinstance(limiter, ShelteredRateLimiter)
        limiter._now = lambda: now[0]

        def answers() -> bool:
            now[0] += 6
            if part == "limiter":
                limiter.hit("acme", RateLimit(requests=2, window_s=600))
                return not limiter.is_sheltering
            with contextlib.suppress(QueueUnavailable):  # of a busy machine
                queue.ring(JOB_ID)
                return True
            return False

        wait_until(answers, seconds=20, what="an open connection")
        wire.silence()
        began = time.monotonic()
        assert not answers()
        assert time.monotonic() - began < 2.5


@pytest.mark.usefixtures("patient_redis")
def test_a_ring_in_a_process_out_of_threads_is_unavailable(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client makes its connection in a thread, and says in its own words that there is none."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    broker = ringing_broker(redis_url)
    with monkeypatch.context() as threads:
        threads.setattr(threading.Thread, "start", refuse)
        with pytest.raises(redis.ConnectionError):
            broker.client.ping()
    assert broker.client.ping()
    broker.client.close()


@pytest.mark.parametrize("broken", [nothing_there, silent_server], ids=lambda broken: broken.__name__)
def test_asking_a_broker_out_of_reach_is_unavailable(
    broken: Callable[[], AbstractContextManager[int]],
) -> None:
    """The relay waits then, and rings when the broker is back."""
    with broken() as port:
        broker = ringing_broker(f"redis://127.0.0.1:{port}/0")
        for ask in (DramatiqQueue.waiting, DramatiqQueue.workers, lambda queue: queue.announce("w", "d")):
            with pytest.raises(QueueUnavailable):
                ask(queue_on(broker))
        broker.client.close()


class _Broken(InProcessBroker):
    """A broker that fails in its own way, and counts how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.is_up = False

    def enqueue(self, message: dramatiq.Message, *, delay: int | None = None) -> dramatiq.Message:
        self.asked += 1
        if not self.is_up:
            raise RuntimeError("secret of the client library")
        return message


def test_the_breaker_rings_again_after_five_seconds_and_not_before() -> None:
    """Meanwhile nobody waits for a broker that does not answer."""
    now, broker = [100.0], _Broken()
    queue = queue_on(broker, now=lambda: now[0])
    for step in (0.0, 2.0, 2.9):
        now[0] += step
        with pytest.raises(QueueUnavailable) as caught:
            queue.ring(JOB_ID)
        assert "secret" not in str(caught.value)
    assert broker.asked == 1
    now[0] += 0.2
    broker.is_up = True
    queue.ring(JOB_ID)
    queue.ring(JOB_ID)
    assert broker.asked == 3


def test_the_broker_is_made_at_the_first_ring() -> None:
    """One made before a fork would be shared by all children."""
    made = []
    broker = InProcessBroker()
    declare_actors(broker, lambda _job_id: True)
    queue = DramatiqQueue(lambda: made.append(1) or broker, queue_name=QUEUE, actor_name=ACTOR)
    assert made == []
    queue.ring(JOB_ID)
    assert made == [1]
    broker.close()


def test_a_ring_whose_host_name_can_not_be_looked_up_gives_up_in_time(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I16: no socket's timeout bounds the resolver, which may take half a minute."""
    look_up = HangingLookUp(monkeypatch)
    now = [0.0]
    queue = queue_on(ringing_broker(redis_url), lambda: now[0])
    before = threading.active_count()
    began = time.monotonic()
    for _ in range(5):
        with pytest.raises(QueueUnavailable):
            queue.ring(JOB_ID)
        now[0] += 6
    assert time.monotonic() - began < 1
    assert threading.active_count() <= before + 1, "one thread waits, however many rings there were"
    look_up.answer()
    wait_until(lambda: threading.active_count() <= before, seconds=10, what="the look-up to end")

    def arrives() -> bool:
        now[0] += 6
        with contextlib.suppress(QueueUnavailable):  # of a busy machine
            queue.ring(JOB_ID)
            return queue.waiting() > 0
        return False

    wait_until(arrives, seconds=10, what="a ring that arrives")


def test_a_broker_that_crawls_is_left_to_the_relay_for_five_seconds() -> None:
    """Each reply in time, and all of them slow: every request would wait for them."""
    now = [0.0]

    class Crawling:
        rings = 0

        def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> Any:
            self.rings += 1
            now[0] += 0.12
            return message

    broker = Crawling()
    queue = queue_on(broker, lambda: now[0])  # type: ignore[arg-type]
    queue.ring(JOB_ID)
    for _ in range(3):
        with pytest.raises(QueueUnavailable, match="a moment ago"):
            queue.ring(JOB_ID)
    assert broker.rings == 1
    now[0] += 5
    queue.ring(JOB_ID)
    assert broker.rings == 2


def test_a_relay_reaches_a_broker_that_is_far_away(redis_url: str) -> None:
    """No request may wait for replies that take 150 ms; if no relay did either, no job would start."""
    with Proxy(urlsplit(redis_url).port or 6379) as wire:
        wire.delay_s = 0.15
        broker = relaying_broker(f"redis://127.0.0.1:{wire.port}/0")
        queue = DramatiqQueue(lambda: broker, queue_name=QUEUE, actor_name=ACTOR, breaker_s=0)
        for _ in range(3):
            queue.ring(JOB_ID)
        assert queue.waiting() == 3
        broker.client.close()
