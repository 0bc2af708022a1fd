"""The doorbell on Dramatiq."""

import time
from collections.abc import Callable

from dramatiq import Broker, Message
from dramatiq.brokers.stub import StubBroker

from sqr_jobs.errors import QueueUnavailable

__all__ = ["DramatiqQueue"]

_BREAKER_S = 5.0


class DramatiqQueue:
    """`JobQueue` on any Dramatiq broker.

    One failure opens a breaker for 5 s: meanwhile nobody waits for a broker that does not answer, and the
    relay rings when it is back. `broker` gives it at the first ring, never before a fork, or raises
    `QueueUnavailable`.
    """

    def __init__(
        self,
        broker: Callable[[], Broker],
        *,
        queue_name: str,
        actor_name: str,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._broker = broker
        self._queue_name = queue_name
        self._actor_name = actor_name
        self._now = now
        self._closed_from = float("-inf")

    def ring(self, job_id: str) -> None:
        """Send the message that names the job; it holds the id and nothing else."""
        if self._now() < self._closed_from:
            raise QueueUnavailable("The broker failed a moment ago.")
        broker = self._broker()
        try:
            broker.enqueue(
                Message(
                    queue_name=self._queue_name,
                    actor_name=self._actor_name,
                    args=(job_id,),
                    kwargs={},
                    options={},
                )
            )
        except Exception as error:  # noqa: BLE001 - whatever a client raises, the row is committed
            self._closed_from = self._now() + _BREAKER_S
            raise QueueUnavailable(f"The broker took no message ({type(error).__name__}).") from None

    def waiting(self) -> int:
        """Count the messages that no consumer has fetched."""
        broker = self._broker()
        try:
            if isinstance(broker, StubBroker):
                return int(broker.queues[self._queue_name].qsize())
            return int(broker.waiting(self._queue_name))  # type: ignore[attr-defined]  # our Redis broker has it
        except Exception as error:  # noqa: BLE001
            raise QueueUnavailable(f"The broker did not answer ({type(error).__name__}).") from None
