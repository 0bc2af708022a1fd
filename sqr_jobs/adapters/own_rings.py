"""The doorbell that a worker process rings for itself while its broker fails."""

import threading
import time
from collections import deque
from typing import Any

from dramatiq import Consumer, Message, MessageProxy

__all__ = ["OwnRing", "OwnRings"]

_WAIT_S = 1.0


class OwnRings:
    """`OwnDoorbell` of a worker process: its rings never leave the process, so no broker can lose them.

    Dramatiq's worker threads take these rings as they take messages of the broker. So there are never more
    attempts than threads, and a drain ends both. `room` says how many rings may be taken and not settled:
    the rest waits here, where it is counted.
    """

    def __init__(self, *, queue_name: str, actor_name: str, room: int) -> None:
        self._queue_name = queue_name
        self._actor_name = actor_name
        self._room = room
        self._taken = 0
        self._rings: deque[str] = deque()
        self._changed = threading.Condition()
        self.is_cut_off = False
        """Whether the consumer of this process fails to fetch messages from the broker."""

    def ring(self, job_id: str) -> None:
        """Say to this process that there is work."""
        with self._changed:
            self._rings.append(job_id)
            self._changed.notify_all()

    def waiting(self) -> int:
        """Count the rings that no thread of this process has taken."""
        return len(self._rings)

    def take(self) -> "OwnRing | None":
        """Take a ring, as a message for Dramatiq, or return None after a second without one."""
        until = time.monotonic() + _WAIT_S
        with self._changed:
            while not self._rings or self._taken >= self._room:
                if not self._changed.wait(until - time.monotonic()):
                    return None
            self._taken += 1
            message: Message[Any] = Message(
                queue_name=self._queue_name,
                actor_name=self._actor_name,
                args=(self._rings.popleft(),),
                kwargs={},
                options={},
            )
        return OwnRing(message, rings=self)

    def settle(self) -> None:
        """Make room for the next ring."""
        with self._changed:
            self._taken -= 1
            self._changed.notify_all()

    def consumer(self) -> Consumer:
        """Make the consumer that gives these rings to Dramatiq's threads."""
        return _OwnConsumer(self)


class OwnRing(MessageProxy):
    """A ring of this process, as Dramatiq's threads take it. The broker knows nothing of it."""

    def __init__(self, message: Message[Any], *, rings: OwnRings) -> None:
        super().__init__(message)
        self.settle = rings.settle


class _OwnConsumer(Consumer):
    """Stands where Dramatiq consumes a queue's delayed messages, which nothing here sends.

    What it gives is settled by the consumer of the queue itself, as Dramatiq does with delayed messages.
    """

    def __init__(self, rings: OwnRings) -> None:
        self._rings = rings

    def __next__(self) -> MessageProxy | None:
        return self._rings.take()

    def ack(self, message: MessageProxy) -> None:
        """Do nothing."""

    def nack(self, message: MessageProxy) -> None:
        """Do nothing."""

    def requeue(self, messages: Any) -> None:
        """Do nothing."""
