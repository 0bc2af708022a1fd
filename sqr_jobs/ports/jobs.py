"""The job store, split by who uses it."""

from collections.abc import Sequence
from typing import Any, Protocol

from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import (
    TWIN_WAIT_S,
    Claim,
    Document,
    IdempotencyKey,
    Job,
    JobEvent,
    NewJob,
    Renewal,
    Reservation,
    TemplateRef,
)
from sqr_jobs.domain.rate_limit import RateLimit
from sqr_jobs.domain.states import JobState

__all__ = ["JobExecution", "JobHistory", "JobIntake", "JobUpkeep"]


class JobIntake(Protocol):
    """The job store as the endpoints use it. Every method raises `DatabaseUnavailable`."""

    def create(
        self,
        new: NewJob,
        ceiling: RateLimit,
        *,
        connection: Any = None,
        reservation: Reservation | None = None,
    ) -> Job:
        """Insert a QUEUED job; when this returns (or the host's own transaction commits) it is stored.

        Raises `RateLimited` over the ceiling and `JobAlreadyActive` where the user has an active job.
        `connection` is the host's SQLAlchemy connection, whose transaction the insert then belongs to;
        with a `reservation` the key's answer is recorded in the same transaction.
        """
        ...

    def answered(self, org_id: str, key: IdempotencyKey, *, wait_s: float = TWIN_WAIT_S) -> Job | None:
        """Return the job that answered a key, as it was then; None where the key is free. Nothing is written.

        Raises `IdempotencyKeyReused` for another body, and `IdempotencyKeyInUse` when a twin is still being
        answered after `wait_s`.
        """
        ...

    def reserve(self, org_id: str, key: IdempotencyKey, *, wait_s: float = TWIN_WAIT_S) -> Reservation | Job:
        """Reserve a key for the request that is being answered, or return the job that answered it.

        Raises as `answered` does.
        """
        ...

    def release(self, reservation: Reservation) -> None:
        """Forget a reservation: its request was refused."""
        ...

    def find(self, org_id: str, job_id: str) -> Job | None:
        """Read a job of this org; None for every other id."""
        ...

    def settle(self, job: Job) -> Job:
        """End a job that is past its deadline, unless something else just did; return it as it stands."""
        ...

    def cancel(self, job: Job) -> Job:
        """End a job that need not be made any more, unless it has ended; return it as it stands."""
        ...


class JobExecution(Protocol):
    """The job store as an attempt uses it. Every method raises `DatabaseUnavailable`.

    Writes are fenced by state, token and attempt: False means that the job is not this attempt's any more.
    """

    def claim(self, job_id: str | None) -> Claim | None:
        """Claim the job named if it is due, else the oldest due one; None when there is none."""
        ...

    def renew(self, claims: Sequence[Claim]) -> Renewal:
        """Extend the leases from now on, all at once; a row that somebody locks holds up no other."""
        ...

    def complete(
        self, claim: Claim, document: Document, *, duration_ms: int, note: str | None = None
    ) -> bool:
        """Make the job COMPLETE. Repeating a call that was carried out is True again.

        `note` is kept in the job's history, as the cause of the change.
        """
        ...

    def fail(
        self, claim: Claim, code: JobErrorCode, cause: str, *, is_final: bool = False
    ) -> JobState | None:
        """End the attempt: RETRY_WAIT or FAILED, as the domain decides; None where fenced off.

        With `is_final` it is FAILED.
        """
        ...

    def give_back(
        self, claim: Claim, *, delay_ms: int, code: JobErrorCode | None = None, cause: str | None = None
    ) -> bool:
        """Return the job unharmed, to be claimed after `delay_ms`; counts as no failure.

        The delay doubles, up to a minute, with each earlier attempt that ended with the same `code`.
        """
        ...


class JobUpkeep(Protocol):
    """The job store as relay and reaper use it. Every method raises `DatabaseUnavailable`.

    What is due, what workers lost and what they do not know is about the jobs of one service.
    """

    def count_due(self) -> int:
        """Count the jobs that could be claimed now."""
        ...

    def due(self, limit: int) -> Sequence[str]:
        """Name the oldest of them."""
        ...

    def unknown_templates(self) -> Sequence[TemplateRef]:
        """Name the templates of waiting jobs that this process does not know, and so does not claim."""
        ...

    def note_unknown(self, limit: int) -> int:
        """Note on such jobs that a worker does not know their template, at most so many; the number noted.

        One that no worker claims from then on ends with TEMPLATE_NOT_FOUND.
        """
        ...

    def rewind(self, limit: int) -> int:
        """Move jobs and keys to the present that a clock, set back since, has left in the future.

        At most so many of each; the number of jobs moved.
        """
        ...

    def reap_leases(self, limit: int) -> int:
        """Take jobs from workers whose lease ran out, at most so many; the number taken."""
        ...

    def reap_deadlines(self, limit: int) -> int:
        """End jobs of every service that are past their deadline, at most so many; the number ended."""
        ...

    def forget_keys(self, limit: int) -> int:
        """Delete idempotency keys whose time is over; the number deleted."""
        ...

    def database_identity(self) -> str:
        """Tell which database this is; another one has another identity."""
        ...


class JobHistory(Protocol):
    """The job store as operators and the invariant checker read it."""

    def history(self, job_id: str) -> Sequence[JobEvent]:
        """Every transition of a job, oldest first. Raises `DatabaseUnavailable`."""
        ...
