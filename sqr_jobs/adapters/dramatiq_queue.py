"""The doorbell on Dramatiq."""

import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from dramatiq import Message

from sqr_jobs.adapters.broker_outages import broker_reason
from sqr_jobs.adapters.circuit_breaker import CircuitBreaker
from sqr_jobs.domain.announcement import Announcement
from sqr_jobs.errors import QueueUnavailable, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DramatiqQueue", "ObservableBroker"]

_BREAKER_S = 5.0
_SLOW_S = 0.1


class ObservableBroker(Protocol):
    """What a Dramatiq broker of ours can tell beyond what Dramatiq asks of one."""

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Send a message."""
        ...

    def waiting(self, queue_name: str) -> int:
        """Count the messages that no consumer has fetched."""
        ...

    def announce(self, worker: str, announcement: str) -> None:
        """Keep for 10 s what a worker announces."""
        ...

    def withdraw(self, worker: str) -> None:
        """Forget a worker's announcement."""
        ...

    def workers(self) -> Mapping[str, str]:
        """Return the announcements of the workers that are alive."""
        ...


class DramatiqQueue:
    """`JobQueue` on a Dramatiq broker.

    One ring that fails, or takes more than 100 ms, opens a breaker for 5 s: meanwhile nobody waits for a
    broker that does not answer, and the relay, whose `breaker_s` is 0, rings within a second of its return.
    `broker` gives it at the first use, never before a fork, or raises `QueueUnavailable`.
    """

    def __init__(
        self,
        broker: Callable[[], ObservableBroker],
        *,
        queue_name: str,
        actor_name: str,
        breaker_s: float = _BREAKER_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._broker = broker
        self._queue_name = queue_name
        self._actor_name = actor_name
        self._now = now
        self._breaker = CircuitBreaker(breaker_s, now=now)

    def ring(self, job_id: str) -> None:
        """Send the message that names the job; it holds the id and nothing else."""
        if not self._breaker.admits():
            raise QueueUnavailable("The broker failed a moment ago.")
        message: Message[Any] = Message(
            queue_name=self._queue_name, actor_name=self._actor_name, args=(job_id,), kwargs={}, options={}
        )
        broker = self._broker()
        began = self._now()
        try:
            with _translated():
                broker.enqueue(message)
        except QueueUnavailable:
            self._breaker.trip()
            raise
        if self._now() - began > _SLOW_S:
            self._breaker.trip()
        else:
            self._breaker.reset()

    def waiting(self) -> int:
        """Count the messages that no consumer has fetched."""
        broker = self._broker()
        with _translated():
            return broker.waiting(self._queue_name)

    def announce(self, worker: str, announcement: Announcement) -> None:
        """Announce a worker that is alive."""
        broker = self._broker()
        with _translated():
            broker.announce(worker, announcement.to_text())

    def withdraw(self, worker: str) -> None:
        """Have the broker forget a worker."""
        broker = self._broker()
        with _translated():
            broker.withdraw(worker)

    def workers(self) -> Mapping[str, Announcement]:
        """Read the announcements of the workers that are alive."""
        broker = self._broker()
        with _translated():
            announced = broker.workers()
        return {worker: Announcement.from_text(text) for worker, text in announced.items()}


@contextmanager
def _translated() -> "Iterator[None]":
    try:
        yield
    except Unavailable as error:  # of the database, whose identity is part of the queue's key
        raise QueueUnavailable(str(error)) from None
    except Exception as error:  # noqa: BLE001 - whatever a client raises, the row is committed
        raise QueueUnavailable(f"The broker refused or did not answer ({broker_reason(error)}).") from None
