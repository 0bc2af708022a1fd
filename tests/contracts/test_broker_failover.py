"""A Redis primary that is demoted: its address leads to the new one, and old connections lead nowhere."""

import contextlib
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import dramatiq
import pytest
from redis import Redis

from sqr_jobs.actors import ACTOR, QUEUE, declare_actors
from sqr_jobs.adapters.dramatiq_queue import DramatiqQueue
from sqr_jobs.adapters.limits_limiter import ShelteredRateLimiter, limiter_for
from sqr_jobs.adapters.redis_broker import relaying_broker, ringing_broker, working_broker
from sqr_jobs.domain.announcement import Announcement
from sqr_jobs.errors import QueueUnavailable
from tests.contracts.queues import queue_on
from tests.contracts.windows import TWO, Window
from tests.servers.ports import wait_until
from tests.servers.proxy import Proxy
from tests.servers.redis import RedisServer

_BOUND_S = 5.0
pytestmark = pytest.mark.usefixtures("patient_redis")


@pytest.fixture
def pair() -> Iterator[tuple[RedisServer, RedisServer]]:
    """Give a primary and its replica."""
    with RedisServer() as primary, RedisServer() as replica:
        with Redis.from_url(primary.url) as client:
            client.config_set("repl-diskless-sync-delay", 0)  # which waits for more replicas
        with Redis.from_url(replica.url) as client:
            client.replicaof("127.0.0.1", str(urlsplit(primary.url).port))
            wait_until(
                lambda: client.info("replication").get("master_link_status") == "up",
                seconds=20,
                what="the link",
            )
        yield primary, replica


def _fail_over(primary: RedisServer, replica: RedisServer) -> None:
    with Redis.from_url(primary.url) as old, Redis.from_url(replica.url) as new:
        old.execute_command("FAILOVER", "TO", "127.0.0.1", str(urlsplit(replica.url).port))
        wait_until(
            lambda: (old.role()[0], new.role()[0]) == (b"slave", b"master"), seconds=20, what="the failover"
        )


def test_all_parts_work_within_five_seconds_of_a_failover(pair: tuple[RedisServer, RedisServer]) -> None:
    """The demoted server keeps its clients and refuses to write, for as long as they stay."""
    primary, replica = pair
    processed: list[str | None] = []
    now = [100.0]
    with Proxy(urlsplit(primary.url).port or 0) as wire:
        url = f"redis://127.0.0.1:{wire.port}/0"
        # Given a worker that waits for messages, and a web process and a relay that have rung
        working = working_broker(url, threads=1, middleware=[])
        declare_actors(working, lambda job_id: processed.append(job_id) or True)
        worker = dramatiq.Worker(working, worker_threads=1, worker_timeout=50)
        worker.start()
        ringing, far = ringing_broker(url), relaying_broker(url)
        web = queue_on(ringing, lambda: now[0])
        relay = DramatiqQueue(lambda: far, queue_name=QUEUE, actor_name=ACTOR, breaker_s=0)
        limiter = limiter_for(url)
        assert isinstance(limiter, ShelteredRateLimiter)
        limiter._now = lambda: now[0]
        window = Window(limiter, TWO)
        web.ring("before")
        relay.announce("w", Announcement(database="d"))
        window.hit("acme")
        assert not limiter.is_sheltering
        wait_until(lambda: "before" in processed, seconds=10, what="the ring before")
        # When its Redis is demoted
        _fail_over(primary, replica)
        wire.lead_to(urlsplit(replica.url).port or 0)
        began = time.monotonic()
        # Then the relay's first ring or the next one reaches the worker
        asked: list[str] = []

        def arrives() -> bool:
            with contextlib.suppress(QueueUnavailable):
                relay.ring("relayed")
                asked.append("relayed")
            return "relayed" in processed

        try:
            wait_until(arrives, seconds=2 * _BOUND_S, what="a relayed ring")
            assert time.monotonic() - began < _BOUND_S
            # And web process and limiter are back when their breaker tries again
            with contextlib.suppress(QueueUnavailable):
                web.ring("refused")
            window.hit("acme")
            now[0] += 5
            web.ring("after")
            window.hit("acme")
            assert not limiter.is_sheltering
            relay.announce("w", Announcement(database="d"))
            wait_until(lambda: "after" in processed, seconds=_BOUND_S, what="the ring after")
        finally:
            worker.stop()
            for broker in (working, ringing, far):
                broker.client.close()
