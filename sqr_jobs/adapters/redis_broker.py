"""Dramatiq's Redis broker with a consumer that waits on the server instead of polling."""

import contextlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import redis
from dramatiq import Consumer, MessageProxy, Middleware
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.common import dq_name
from dramatiq.errors import ConnectionClosed

from sqr_jobs.adapters.honest_message import honest_message
from sqr_jobs.adapters.own_rings import OwnRings
from sqr_jobs.adapters.patient_consumer import PatientConsumer
from sqr_jobs.adapters.quick_redis import quick_redis
from sqr_jobs.adapters.redis_connections import connect_to

__all__ = ["BlockingRedisBroker", "relaying_broker", "ringing_broker", "working_broker"]

_WAIT_S = 1.0
_RELAY_S = 2.0
_CONNECT_S = 2.0
_WORKERS = "sqr_jobs:announced"
_ANNOUNCED_S = 10
_FORGOTTEN_S = 3_600
"""After how long a silent worker leaves the list; whether one is alive is told by the server's clock."""


def _unshared() -> str:
    return "unshared"


class BlockingRedisBroker(RedisBroker):
    """A Redis broker whose consumers wake within milliseconds and cost an idle core nothing.

    Its keys begin with the `identity` of the service's database, so that services may share a Redis. It is
    asked at each use, and may raise `Unavailable`. With `rings`, Dramatiq's threads take those of this
    process too.
    """

    def __init__(
        self,
        *,
        client: redis.Redis,
        identity: Callable[[], str] = _unshared,
        middleware: list[Middleware] | None = None,
        prefetch: int = 1,
        rings: OwnRings | None = None,
    ) -> None:
        self._identity = identity
        super().__init__(client=client, middleware=middleware or [])  # type: ignore[no-untyped-call]
        self._prefetch = prefetch
        self._rings = rings

    @property
    def namespace(self) -> str:
        """What each key of messages begins with."""
        return f"sqr_jobs:{self._identity()}"

    @namespace.setter
    def namespace(self, _: str) -> None:
        """Ignore the name that Dramatiq sets while it is built: nothing may be read from a database then."""

    def declare_queue(self, queue_name: str) -> None:
        """Know of the queue. Its consumer for delayed messages takes this process's own rings, if any."""
        if queue_name in self.queues:
            return
        self.emit_before("declare_queue", queue_name)
        self.queues.add(queue_name)
        self.emit_after("declare_queue", queue_name)
        if self._rings is not None:
            self.delay_queues.add(dq_name(queue_name))
            self.emit_after("declare_delay_queue", dq_name(queue_name))

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:  # noqa: ARG002 - it would hoard
        """Consume with one message per thread, so that none waits behind a long job."""
        if self._rings is not None and queue_name in self.delay_queues:
            return self._rings.consumer()
        consumer = _BlockingConsumer(self, queue_name, self._prefetch, timeout)
        return PatientConsumer(lambda: consumer, rings=self._rings)

    def do_enqueue(self, queue_name: str, message_id: str, data: bytes) -> None:
        """Store and push a message without the stock script.

        That would enter the sender as a worker too, and each one that then falls silent costs the server a
        scan of all its keys.
        """
        name = self._list(queue_name)
        with self.client.pipeline(transaction=True) as pipeline:
            pipeline.hset(f"{name}.msgs", message_id, data)  # type: ignore[arg-type]  # bytes are fine
            pipeline.rpush(name, message_id)
            pipeline.execute()

    def waiting(self, queue_name: str) -> int:
        """Count the messages that no consumer has fetched."""
        length: Any = self.client.llen(self._list(queue_name))
        return int(length)

    def wait_for_message(self, queue_name: str, timeout_s: float) -> None:
        """Wait for a message by moving the head of the list onto itself, which takes nothing from it."""
        name = self._list(queue_name)
        self.client.blmove(name, name, timeout_s, "LEFT", "LEFT")  # type: ignore[arg-type]  # seconds may be a fraction

    def _list(self, queue_name: str) -> str:
        return f"{self.namespace}:{queue_name}"

    def announce(self, worker: str, announcement: str) -> None:
        """Remember for 10 s, by the server's clock, that a worker is alive, and forget who fell silent."""
        now = time.time()
        with self.client.pipeline(transaction=True) as pipeline:
            pipeline.set(_announced(worker), announcement, ex=_ANNOUNCED_S)
            pipeline.zadd(_WORKERS, {worker: now})
            pipeline.zremrangebyscore(_WORKERS, "-inf", now - _FORGOTTEN_S)
            pipeline.execute()

    def withdraw(self, worker: str) -> None:
        """Forget a worker that takes no more messages."""
        with self.client.pipeline(transaction=True) as pipeline:
            pipeline.delete(_announced(worker))
            pipeline.zrem(_WORKERS, worker)
            pipeline.execute()

    def workers(self) -> dict[str, str]:
        """Tell which workers announced themselves lately."""
        members: Any = self.client.zrange(_WORKERS, 0, -1)
        names = [member.decode() for member in members]
        databases: Any = self.client.mget(map(_announced, names)) if names else []
        found = zip(names, databases, strict=True)
        return {name: database.decode() for name, database in found if database is not None}


def _announced(worker: str) -> str:
    return f"{_WORKERS}:{worker}"


class _BlockingConsumer(_RedisConsumer):
    """Waits for a message on the server, without taking it.

    The stock fetch then takes messages as always, with its acknowledgements and heartbeats.
    """

    def __init__(self, broker: BlockingRedisBroker, queue_name: str, prefetch: int, timeout: int) -> None:
        super().__init__(broker, queue_name, prefetch, timeout)  # type: ignore[no-untyped-call]
        self._room = threading.Event()

    def __next__(self) -> MessageProxy | None:
        """Return a message, or None after at most a second without one."""
        try:
            message = self._fetched()
            if message is not None:
                return message
            if self.outstanding_message_count >= self.prefetch:
                self._room.wait(_WAIT_S)
                self._room.clear()
                # The script notes the time at any command. A worker that falls silent costs a scan of keys.
                self.broker.do_heartbeat(self.queue_name)
                return None
            self.broker.wait_for_message(self.queue_name, _WAIT_S)
            return self._fetched()
        except redis.RedisError as error:
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]

    def ack(self, message: MessageProxy) -> None:
        """Acknowledge, and make room for the next message."""
        self._settle(super().ack, message)

    def nack(self, message: MessageProxy) -> None:
        """Refuse, and make room for the next message."""
        self._settle(super().nack, message)

    def _settle(self, how: Callable[[MessageProxy], None], message: MessageProxy) -> None:
        """Tell the broker, once: a message that comes again finds its job taken, and is dropped.

        Dramatiq itself would repeat this, in the worker's thread, until the broker is back.
        """
        try:
            how(message)
        except (ConnectionClosed, redis.RedisError) as error:
            self.logger.warning("a message could not be acknowledged: %s", type(error).__name__)
        finally:
            self._room.set()

    def _fetched(self) -> MessageProxy | None:
        room = self.prefetch - self.outstanding_message_count
        if not self.message_cache and room > 0:
            self.message_cache = self.broker.do_fetch(self.queue_name, room)
        while self.message_cache:
            data = self.message_cache.pop(0)
            try:
                message = honest_message(
                    data,
                    queue_name=self.queue_name,
                    actors=self.broker.actors,
                    own_option="redis_message_id",
                )
            except Exception:  # noqa: BLE001 - somebody else's bytes must not stop the consumer
                self.logger.warning("dropped a message that is not one of ours")
                self._forget(data)
                continue
            self.queued_message_ids.add(message.message_id)
            return MessageProxy(message)
        return None

    def _forget(self, data: bytes) -> None:
        """Acknowledge what was dropped, as far as it tells its own id, so that it does not come again."""
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
            self.broker.do_ack(self.queue_name, str(json.loads(data)["options"]["redis_message_id"]))


def ringing_broker(url: str, identity: Callable[[], str] = _unshared) -> BlockingRedisBroker:
    """Make the broker of a web process: a ring takes 100 ms at most and is never repeated.

    Raises `ConfigurationError`, as the other two.
    """
    return BlockingRedisBroker(client=quick_redis(url), identity=identity)


def relaying_broker(url: str, identity: Callable[[], str] = _unshared) -> BlockingRedisBroker:
    """Make the broker of a relay, for which a server that is far away is better than none."""
    return BlockingRedisBroker(client=quick_redis(url, timeout_s=_RELAY_S), identity=identity)


def working_broker(
    url: str,
    identity: Callable[[], str] = _unshared,
    *,
    threads: int,
    middleware: list[Middleware],
    rings: OwnRings | None = None,
) -> BlockingRedisBroker:
    """Make the broker of a worker process, which may wait on the server."""
    client = connect_to(
        url, setting="SQR_JOBS_BROKER_URL", timeout_s=_WAIT_S + 4, connect_timeout_s=_CONNECT_S
    )
    return BlockingRedisBroker(
        client=client, identity=identity, middleware=middleware, prefetch=threads, rings=rings
    )
