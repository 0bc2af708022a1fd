"""Ports in memory, written by hand, with what a test wants to go wrong."""

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from sqr_jobs.domain.announcement import Announcement
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import Claim, Document, Job, Renewal, TemplateRef
from sqr_jobs.domain.states import JobState
from sqr_jobs.errors import QueueUnavailable
from sqr_jobs.leases import Lease
from sqr_jobs.ports import ProducedDocument, RenderOrder

if TYPE_CHECKING:
    from sqr_jobs.domain.glyphs import MissingGlyphs

__all__ = [
    "Clock",
    "FakeDocuments",
    "FakeExecution",
    "FakeOwnDoorbell",
    "FakeProducer",
    "FakeQueue",
    "FakeUpkeep",
    "claim_of",
]

BYTES = b"%PDF-1.7 a document"


def claim_of(*, left_s: float = 300.0, attempt: int = 1, token: str = "f" * 32) -> Claim:
    """Make an attempt's claim, with so much time to its deadline."""
    job = Job(
        job_id="0c7b6a3e-0000-4000-8000-000000000001",
        org_id="acme",
        user_id="U1",
        template=TemplateRef(name="report", version="v1"),
        state=JobState.RUNNING,
        attempt=attempt,
        failures=0,
        crashes=0,
        created_at=1_000,
        updated_at=1_000,
        available_at=1_000,
        deadline_at=1_000 + round(left_s * 1000),
        document_lifetime_ms=86_400_000,
        as_of=1_000,
    )
    return Claim(job=job, token=token)


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.seconds

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds


class FakeExecution:
    """`JobExecution` that remembers each call; `raises` holds the errors to come, by method, one per call."""

    def __init__(self, claim: Claim | None = None) -> None:
        self._claim = claim
        self.calls: list[tuple[object, ...]] = []
        self.raises: dict[str, list[Exception]] = {}
        self.owns_the_job = True
        self.locked: set[str] = set()

    def claim(self, job_id: str | None) -> Claim | None:
        """Give the one claim there is, once."""
        self._note("claim", job_id)
        claim, self._claim = self._claim, None
        return claim

    def renew(self, claims: Sequence[Claim]) -> Renewal:
        """Renew while the jobs are owned, all but those whose rows are locked."""
        self._note("renew")
        tokens = frozenset(claim.token for claim in claims) - self.locked
        nothing: frozenset[str] = frozenset()
        return Renewal(
            extended=tokens if self.owns_the_job else nothing, lost=nothing if self.owns_the_job else tokens
        )

    def complete(
        self, claim: Claim, document: Document, *, duration_ms: int, note: str | None = None
    ) -> bool:
        """Complete while the job is owned."""
        self._note("complete", document, duration_ms, *([note] if note else []))
        return self.owns_the_job

    def fail(
        self, claim: Claim, code: JobErrorCode, cause: str, *, is_final: bool = False
    ) -> JobState | None:
        """Fail while the job is owned."""
        self._note("fail", code, cause, *(["final"] if is_final else []))
        return JobState.FAILED if self.owns_the_job else None

    def give_back(
        self, claim: Claim, *, delay_ms: int, code: JobErrorCode | None = None, cause: str | None = None
    ) -> bool:
        """Give back while the job is owned."""
        self._note("give_back", delay_ms, code, cause)
        return self.owns_the_job

    def names(self) -> list[object]:
        """Name the calls so far."""
        return [call[0] for call in self.calls]

    def _note(self, name: str, *details: object) -> None:
        self.calls.append((name, *details))
        errors = self.raises.get(name)
        if errors:
            raise errors.pop(0)


class FakeProducer:
    """`DocumentProducer` that makes the same document each time, or fails as the test says."""

    def __init__(self) -> None:
        self.orders: list[RenderOrder] = []
        self.during: Callable[[Lease], None] = lambda _lease: None
        self.raises: BaseException | None = None
        self.missing_glyphs: MissingGlyphs | None = None
        self.released = self.discarded = 0

    def produce(self, order: RenderOrder, lease: Lease) -> ProducedDocument:
        """Make the document."""
        self.orders.append(order)
        self.during(lease)
        if self.raises is not None:
            raise self.raises
        lease.check()
        digest = hashlib.sha256(BYTES).hexdigest()
        return ProducedDocument(
            file=io.BytesIO(BYTES),
            size=len(BYTES),
            sha256=digest,
            release=self._release,
            discard=self._discard,
            missing_glyphs=self.missing_glyphs,
        )

    def warm(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def _release(self) -> None:
        self.released += 1

    def _discard(self) -> None:
        self.discarded += 1


class FakeDocuments:
    """`DocumentStore` in a dictionary."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.during: Callable[[], None] = lambda: None
        self.raises: BaseException | None = None

    def put(self, key: str, document: ProducedDocument, *, until: Callable[[], float]) -> None:
        """Store the bytes."""
        self.during()
        if self.raises is not None:
            raise self.raises
        self.stored[key] = document.file.read()

    def holds(self, key: str, *, size: int) -> bool:
        """Say whether they are there."""
        return len(self.stored.get(key, b"")) == size

    def url(self, key: str, *, filename: str, expires_s: int, origin: str) -> str:
        """Make a URL of all that it is made of."""
        return f"{origin}/{key}?{filename}&{expires_s}"

    def delete(self, key: str) -> None:
        """Forget them."""
        self.stored.pop(key, None)


class FakeUpkeep:
    """`JobUpkeep` with so many due jobs, lost leases and passed deadlines."""

    def __init__(self, *, due: int = 0, lost: int = 0, overdue: int = 0, lapsed: int = 0) -> None:
        self.jobs = [f"job-{number}" for number in range(due)]
        self.lost, self.overdue, self.lapsed = lost, overdue, lapsed
        self.future = 0
        self.unknown: list[TemplateRef] = []
        self.asked: list[str] = []

    def count_due(self) -> int:
        """Count them."""
        self.asked.append("count_due")
        return len(self.jobs)

    def due(self, limit: int) -> Sequence[str]:
        """Name the oldest."""
        self.asked.append(f"due {limit}")
        return self.jobs[:limit]

    def unknown_templates(self) -> Sequence[TemplateRef]:
        """Name those that wait."""
        return self.unknown

    def note_unknown(self, limit: int) -> int:
        """Note as many as there are."""
        self.asked.append(f"note_unknown {limit}")
        return 0

    def rewind(self, limit: int) -> int:
        """Move as many as there are."""
        self.asked.append(f"rewind {limit}")
        moved = min(limit, self.future)
        self.future -= moved
        return moved

    def reap_leases(self, limit: int) -> int:
        """Take as many as there are."""
        self.asked.append(f"reap_leases {limit}")
        taken = min(limit, self.lost)
        self.lost -= taken
        return taken

    def reap_deadlines(self, limit: int) -> int:
        """End as many as there are."""
        self.asked.append(f"reap_deadlines {limit}")
        taken = min(limit, self.overdue)
        self.overdue -= taken
        return taken

    def forget_keys(self, limit: int) -> int:
        """Forget as many as there are."""
        self.asked.append(f"forget_keys {limit}")
        taken = min(limit, self.lapsed)
        self.lapsed -= taken
        return taken

    def database_identity(self) -> str:
        """Tell it."""
        return "database-1"


class FakeQueue:
    """`JobQueue` that remembers its rings, and breaks after so many."""

    def __init__(self, *, waiting: int = 0, breaks_after: int | None = None) -> None:
        self.rung: list[str] = []
        self._waiting = waiting
        self._breaks_after = breaks_after
        self.announced: dict[str, Announcement] = {}

    def ring(self, job_id: str) -> None:
        """Ring."""
        if self._breaks_after is not None and len(self.rung) >= self._breaks_after:
            raise QueueUnavailable("gone")
        self.rung.append(job_id)

    def waiting(self) -> int:
        """Count what waits."""
        return self._waiting + len(self.rung)

    def announce(self, worker: str, announcement: Announcement) -> None:
        """Remember a worker."""
        self.announced[worker] = announcement

    def withdraw(self, worker: str) -> None:
        """Forget a worker."""
        self.announced.pop(worker, None)

    def workers(self) -> Mapping[str, Announcement]:
        """Tell them."""
        return self.announced


class FakeOwnDoorbell:
    """`OwnDoorbell` that remembers its rings."""

    def __init__(self) -> None:
        self.is_cut_off = False
        self.rung: list[str] = []

    def ring(self, job_id: str) -> None:
        """Ring."""
        self.rung.append(job_id)

    def waiting(self) -> int:
        """Count them."""
        return len(self.rung)
