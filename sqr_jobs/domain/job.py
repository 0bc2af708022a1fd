"""The job as everyone but the database sees it."""

from dataclasses import dataclass, field, replace

from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.states import ACTIVE, ApiStatus, JobState, api_status

__all__ = [
    "TWIN_WAIT_S",
    "Claim",
    "Document",
    "IdempotencyKey",
    "Job",
    "JobEvent",
    "NewJob",
    "Renewal",
    "Reservation",
    "TemplateRef",
    "document_key",
]


@dataclass(frozen=True, kw_only=True)
class TemplateRef:
    """Which template, in which version, makes a job's document; fixed when the job is created."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, kw_only=True)
class Document:
    """The stored bytes of a finished job."""

    key: str = field(repr=False)
    """The object's name in the document store; it carries the attempt and its token."""
    size: int
    """Bytes."""
    sha256: str
    """64 hexadecimal digits, of the very bytes that the URL serves."""


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """What `create` asks the job store to insert."""

    job_id: str
    org_id: str
    user_id: str
    template: TemplateRef
    lifetime_ms: int
    """From creation to the deadline."""
    document_lifetime_ms: int
    """From completion to the expiry of the document."""

    def created(self, now: int) -> "Job":
        """Make the job as it stands at its creation, in epoch milliseconds of the database's clock."""
        return Job(
            job_id=self.job_id,
            org_id=self.org_id,
            user_id=self.user_id,
            template=self.template,
            state=JobState.QUEUED,
            attempt=0,
            failures=0,
            crashes=0,
            created_at=now,
            updated_at=now,
            available_at=now,
            deadline_at=now + self.lifetime_ms,
            document_lifetime_ms=self.document_lifetime_ms,
            as_of=now,
        )


TWIN_WAIT_S = 1.0
"""How long a request waits for its twin, which has the same key and is still being answered (contract)."""


@dataclass(frozen=True, kw_only=True)
class IdempotencyKey:
    """What makes a repeated creation the same one (IETF draft, Idempotency-Key)."""

    key_hash: str
    """SHA-256 of the header's value: clients put anything into it."""
    fingerprint: str
    """SHA-256 of the parsed body: the same key with another body is another request."""


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """The right to answer one idempotency key; it lapses by itself when its holder dies."""

    org_id: str
    key: IdempotencyKey
    token: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One report job as read at one moment. Instants are epoch milliseconds by the database's clock."""

    job_id: str
    org_id: str
    user_id: str
    template: TemplateRef
    state: JobState
    attempt: int
    """Counts the claims; the fence: +1 per claim, never reused."""
    failures: int
    """Attempts that failed; a job that is given back counts nothing."""
    crashes: int
    """Attempts whose render child or worker died."""
    created_at: int
    updated_at: int
    available_at: int
    """From when on the job may be claimed."""
    deadline_at: int
    """When the job is FAILED unless it is COMPLETE."""
    document_lifetime_ms: int
    """From completion to the expiry of the document."""
    as_of: int
    """When this was read."""
    service: str = ""
    """The service that accepted it; several may share a database."""
    lease_until: int | None = None
    """Of a RUNNING job: until when its worker has it, unless renewed."""
    lease_token: str | None = field(default=None, repr=False)
    """Of a RUNNING job: what that worker's writes must show."""
    completed_at: int | None = None
    error_code: JobErrorCode | None = None
    """Of a FAILED job; of an active one, of its last failure."""
    duration_ms: int | None = None
    """Milliseconds from the claim to the stored document, of the attempt that made it."""
    document: Document | None = None
    """Of a COMPLETE job."""
    document_expires_at: int | None = None

    @property
    def status(self) -> ApiStatus:
        """The state in the API's words."""
        return api_status(self.state)

    @property
    def is_active(self) -> bool:
        """Whether the job may still come to an end."""
        return self.state in ACTIVE

    def as_created(self) -> "Job":
        """Show the job as its creation answered it, whatever has become of it."""
        asked = NewJob(
            job_id=self.job_id,
            org_id=self.org_id,
            user_id=self.user_id,
            template=self.template,
            lifetime_ms=self.deadline_at - self.created_at,
            document_lifetime_ms=self.document_lifetime_ms,
        )
        return replace(asked.created(self.created_at), service=self.service)

    @property
    def is_overdue(self) -> bool:
        """Whether the job is past its deadline and nobody has said so yet."""
        return self.is_active and self.deadline_at <= self.as_of

    @property
    def document_expired(self) -> bool:
        """Whether the document is past its retention."""
        return self.document_expires_at is not None and self.document_expires_at <= self.as_of


@dataclass(frozen=True, kw_only=True)
class Renewal:
    """What became of leases that were to be renewed, by their fencing tokens.

    One in neither set stands as it stood: somebody else locks its row at the moment.
    """

    extended: frozenset[str]
    lost: frozenset[str]
    """The job is not that attempt's any more, or past its deadline."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One attempt's right to one job: what it must show at each write, and how long it may take."""

    job: Job
    token: str = field(repr=False)
    """The fencing token, new with each claim."""

    @property
    def left_ms(self) -> int:
        """Time to the deadline when the claim was made, in milliseconds."""
        return self.job.deadline_at - self.job.as_of

    @property
    def document_key(self) -> str:
        """Where this attempt, and no other, stores its document."""
        return document_key(self.job.job_id, self.job.attempt, self.token)


def document_key(job_id: str, attempt: int, token: str) -> str:
    """Name the object of one attempt; the audit's claims tell all that a job may have."""
    return f"{job_id}/{attempt}-{token}.pdf"


@dataclass(frozen=True, kw_only=True)
class JobEvent:
    """One line of a job's history, written in the transaction of the change itself."""

    job_id: str
    at: int
    """Epoch milliseconds by the database's clock."""
    from_state: JobState | None
    """None at the creation."""
    to_state: JobState
    attempt: int
    why: str
    """The transition's name."""
    token: str | None = field(default=None, repr=False)
    error_code: JobErrorCode | None = None
    cause: str | None = field(default=None, repr=False)
    """Internal error text, for operators only: it may hold personal data."""
    worker: str | None = None
    """Of a claim, the worker that made it; of a lost lease, the one that had it: `host:804 0.1.0`."""
