"""The doorbell between web and workers."""

from collections.abc import Mapping
from typing import Protocol

__all__ = ["JobQueue"]


class JobQueue(Protocol):
    """The doorbell: a message says "there is work".

    Losing it, doubling it or wiping the broker loses nothing.
    """

    def ring(self, job_id: str) -> None:
        """Say that there is work. Raises `QueueUnavailable`, after 150 ms without an answer."""
        ...

    def waiting(self) -> int:
        """Count the messages that no worker has taken. Raises `QueueUnavailable`."""
        ...

    def announce(self, worker: str, database: str) -> None:
        """Tell that a worker process is alive, and on which database. Raises `QueueUnavailable`."""
        ...

    def workers(self) -> Mapping[str, str]:
        """Tell which workers announced themselves in the last 10 s, and their databases.

        Raises `QueueUnavailable`.
        """
        ...
