"""The doorbell between web and workers."""

from collections.abc import Mapping
from typing import Protocol

from sqr_jobs.domain.announcement import Announcement

__all__ = ["JobQueue", "OwnDoorbell"]


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

    def announce(self, worker: str, announcement: Announcement) -> None:
        """Announce a worker process that is alive. Raises `QueueUnavailable`."""
        ...

    def withdraw(self, worker: str) -> None:
        """Forget the announcement of a worker process. Raises `QueueUnavailable`."""
        ...

    def workers(self) -> Mapping[str, Announcement]:
        """Read the announcements of the last 10 s, by worker. Raises `QueueUnavailable`."""
        ...


class OwnDoorbell(Protocol):
    """The doorbell of a worker process for its own threads, while the broker fails."""

    @property
    def is_cut_off(self) -> bool:
        """Whether this process fails to fetch messages from the broker."""
        ...

    def ring(self, job_id: str) -> None:
        """Say to this process that there is work."""
        ...

    def waiting(self) -> int:
        """Count the rings that no thread of this process has taken."""
        ...
