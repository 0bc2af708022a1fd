"""The job store as retention and operators use it."""

from collections.abc import Sequence
from typing import Protocol

from sqr_jobs.domain.job import Job
from sqr_jobs.domain.upkeep import Collectable, Erased, JobSearch

__all__ = ["JobOperations", "JobRetention"]


class JobRetention(Protocol):
    """What retention reads and deletes. Every method raises `DatabaseUnavailable`."""

    def collectable(self, limit: int) -> Sequence[Collectable]:
        """Find jobs that ended, or whose document expired, an hour ago, and were not collected since.

        The longest first; those that were refused come again an hour later.
        """
        ...

    def collected(self, item: Collectable) -> bool:
        """Note that an item's objects are gone; False when somebody else was quicker."""
        ...

    def refused(self, item: Collectable) -> None:
        """Note that the store did not delete an item's objects."""
        ...

    def purge(self, limit: int) -> int:
        """Delete jobs that ended long ago and keep no object, with their history; how many."""
        ...


class JobOperations(Protocol):
    """What operators do. Every method raises `DatabaseUnavailable`."""

    def search(self, wanted: JobSearch) -> Sequence[Job]:
        """Find jobs of every org, the newest first."""
        ...

    def get(self, job_id: str) -> Job | None:
        """Read a job of whichever org."""
        ...

    def cancel(self, job: Job) -> Job:
        """End a job that was asked not to be made; return it as it stands, ended otherwise or so."""
        ...

    def document_keys(self, job_ids: Sequence[str]) -> Sequence[str]:
        """Name every object that an attempt at these jobs may have stored."""
        ...

    def erase(self, job_ids: Sequence[str]) -> Erased:
        """Make jobs that ended forget whom they were about."""
        ...
