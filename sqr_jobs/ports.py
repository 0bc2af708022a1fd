"""What the core needs from the world, one protocol per need, split by who uses it.

Every implementation passes the port's contract suite under `tests/contracts`. Third-party exceptions never
cross a port: what can go wrong is named in each docstring, by a class of `sqr_jobs.errors`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from sqr_jobs.domain.caller import Caller, User
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import (
    Ceiling,
    Claim,
    Document,
    IdempotencyKey,
    Job,
    JobEvent,
    NewJob,
    Reservation,
    TemplateRef,
)
from sqr_jobs.domain.states import JobState

if TYPE_CHECKING:
    from sqr_jobs.leases import Lease

__all__ = [
    "Authenticator",
    "DocumentProducer",
    "DocumentStore",
    "JobExecution",
    "JobHistory",
    "JobIntake",
    "JobQueue",
    "JobUpkeep",
    "LocalDocuments",
    "ProducedDocument",
    "Quota",
    "RateLimiter",
    "RenderOrder",
    "TemplateCatalog",
    "UserDirectory",
]


class UserDirectory(Protocol):
    """The host's people; both questions are asked at every creation and at every download."""

    def find(self, user_id: str) -> User | None:
        """Find the person with this id, compared byte for byte; None where there is none."""
        ...

    def may_report(self, caller: Caller, user: User) -> bool:
        """Say whether this caller may have a report on this person *now*, from the host's own data."""
        ...


class Authenticator(Protocol):
    """Turns a request's headers into a caller."""

    def authenticate(self, headers: Mapping[str, str]) -> Caller:
        """Judge the bearer token; header names are lower case.

        Raises `Unauthenticated` (with the reason, for the log) or `IdentityUnavailable`.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Quota:
    """What an org has left after a request was counted."""

    allowed: bool
    limit: int
    window_s: int
    remaining: int
    reset_s: int
    """Seconds until one more request is let through than now, at least 1 where none is."""


class RateLimiter(Protocol):
    """Lets at most so many requests of an org through in any window."""

    def hit(self, org_id: str) -> Quota:
        """Count one request. Raises `LimiterUnavailable` within 150 ms of a storage that does not answer."""
        ...


class JobIntake(Protocol):
    """The job store as the endpoints use it. Every method raises `DatabaseUnavailable`."""

    def create(
        self,
        new: NewJob,
        ceiling: Ceiling,
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

    def reserve(self, org_id: str, key: IdempotencyKey) -> Reservation | Job:
        """Reserve a key for the request that is being answered, or return the job that answered it.

        Raises `IdempotencyKeyReused` for another body, and `IdempotencyKeyInUse` when a twin is still being
        answered after a second.
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


class JobExecution(Protocol):
    """The job store as an attempt uses it. Every method raises `DatabaseUnavailable`.

    Writes are fenced by state, token and attempt: False means that the job is not this attempt's any more.
    """

    def claim(self, job_id: str | None) -> Claim | None:
        """Claim the job named if it is due, else the oldest due one; None when there is none."""
        ...

    def renew(self, claim: Claim) -> bool:
        """Extend the lease from now on."""
        ...

    def complete(self, claim: Claim, document: Document, *, duration_ms: int) -> bool:
        """Make the job COMPLETE. Repeating a call that was carried out is True again."""
        ...

    def fail(self, claim: Claim, code: JobErrorCode, cause: str) -> JobState | None:
        """End the attempt: RETRY_WAIT or FAILED, as the domain decides; None where fenced off."""
        ...

    def give_back(self, claim: Claim, *, delay_ms: int, code: JobErrorCode | None = None) -> bool:
        """Return the job unharmed, to be claimed after `delay_ms`; counts as no failure."""
        ...


class JobUpkeep(Protocol):
    """The job store as relay and reaper use it. Every method raises `DatabaseUnavailable`."""

    def count_due(self) -> int:
        """Count the jobs that could be claimed now."""
        ...

    def due(self, limit: int) -> Sequence[str]:
        """Name the oldest of them."""
        ...

    def reap_leases(self, limit: int) -> int:
        """Take jobs from workers whose lease ran out, at most so many; the number taken."""
        ...

    def reap_deadlines(self, limit: int) -> int:
        """End jobs that are past their deadline, at most so many; the number ended."""
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


@dataclass(frozen=True, kw_only=True)
class RenderOrder:
    """What an attempt asks the producer to make."""

    job_id: str
    org_id: str
    user_id: str
    template: TemplateRef
    created_at: int
    """Epoch milliseconds; the document's date."""


@dataclass(frozen=True, kw_only=True)
class ProducedDocument:
    """The finished bytes, before they are stored."""

    file: BinaryIO = field(repr=False)
    """Positioned at its start; it has no name on disk, so nothing is left behind when the process dies."""
    size: int
    sha256: str
    release: Callable[[], None] = field(repr=False)
    """Must be called when the bytes are no longer needed."""


class DocumentProducer(Protocol):
    """Loads, lays out and finishes one document at a time per calling thread."""

    def produce(self, order: RenderOrder, lease: "Lease") -> ProducedDocument:
        """Make the document, or end the attempt at the lease's own end.

        Raises `AttemptFailed`, `AttemptAborted` or `LeaseLost`; TEMPLATE_NOT_FOUND stands for a template
        that this process does not know.
        """
        ...

    def warm(self) -> None:
        """Prepare what the first order would wait for. Raises `ConfigurationError`."""
        ...

    def close(self) -> None:
        """End the idle render children."""
        ...


class DocumentStore(Protocol):
    """Holds bytes under keys. Every method raises `DocumentsUnavailable`."""

    def put(self, key: str, document: ProducedDocument, *, until: Callable[[], float]) -> None:
        """Store the bytes; the server checks the SHA-256.

        `until` tells the seconds that are left; the upload ends when there are none.
        """
        ...

    def holds(self, key: str, *, size: int) -> bool:
        """Say whether an object of this size is there."""
        ...

    def url(self, key: str, *, filename: str, expires_s: int, origin: str) -> str:
        """Sign a fresh URL, for GET only, that the server refuses once expired or changed.

        `origin` (the address at which the endpoints are mounted) serves stores that have no address of
        their own.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        ...


class LocalDocuments(Protocol):
    """A document store whose URLs this service itself serves."""

    def open_link(self, query: Mapping[str, str]) -> tuple[Path, str]:
        """Check a signed link: the file, and the name to save it under. Raises `LinkRefused`."""
        ...


class TemplateCatalog(Protocol):
    """The registered templates as the endpoints see them."""

    def choose(self, caller: Caller, user: User) -> TemplateRef:
        """Choose the template of a new job."""
        ...

    def filename(self, template: TemplateRef, user: User, job_id: str) -> str:
        """Name a document for people; safe on every file system."""
        ...
