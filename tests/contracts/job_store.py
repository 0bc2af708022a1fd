"""The six parts of the job store over one database, and what their tests say again and again."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import func, select

from sqr_jobs.adapters.sql import (
    Database,
    SqlJobExecution,
    SqlJobHistory,
    SqlJobIntake,
    SqlJobOperations,
    SqlJobRetention,
    SqlJobUpkeep,
)
from sqr_jobs.adapters.sql.tables import audit, job
from sqr_jobs.domain.failures import JobErrorCode, RetryPolicy
from sqr_jobs.domain.job import Claim, Document, Job, NewJob, Reservation, TemplateRef
from sqr_jobs.domain.rate_limit import RateLimit
from sqr_jobs.domain.states import JobState

__all__ = [
    "CEILING",
    "JOB_LIFETIME_S",
    "LEASE_S",
    "NO_CEILING",
    "RETENTION_S",
    "SERVICE",
    "TEMPLATE",
    "WORKER",
    "JobStore",
    "document_of",
]

CEILING = RateLimit(requests=10, window_s=600)
NO_CEILING = RateLimit(requests=100_000, window_s=600)
LEASE_S = 30
RETENTION_S = 86_400
JOB_LIFETIME_S = 30 * 86_400
TEMPLATE = TemplateRef(name="report", version="v1")
SERVICE = "/v1/document/api"
WORKER = "vm:804 0.1.0"


class JobStore:
    """The job store, with a clock that tests move and a jitter that they choose."""

    def __init__(
        self, database: Database, *, service: str = SERVICE, templates: Sequence[TemplateRef] | None = None
    ) -> None:
        self.database = database
        self.jitter = 0.0
        policy = RetryPolicy()
        self.intake = SqlJobIntake(database, service=service)
        self.execution = SqlJobExecution(
            database,
            service=service,
            worker=WORKER,
            templates=templates,
            lease_ms=LEASE_S * 1000,
            policy=policy,
            jitter=lambda: self.jitter,
        )
        self.upkeep = SqlJobUpkeep(database, service=service, templates=templates, policy=policy)
        self.history = SqlJobHistory(database)
        self.retention = SqlJobRetention(database, service=service, job_lifetime_ms=JOB_LIFETIME_S * 1000)
        self.operations = SqlJobOperations(database, service=service)

    def create(
        self,
        user_id: str = "U1",
        *,
        org_id: str = "acme",
        lifetime_s: float = 300,
        retention_s: float = RETENTION_S,
        ceiling: RateLimit = NO_CEILING,
        connection: Any = None,
        reservation: Reservation | None = None,
    ) -> Job:
        """Create a job, by default without a ceiling, for five minutes."""
        new = NewJob(
            job_id=str(uuid.uuid4()),
            org_id=org_id,
            user_id=user_id,
            template=TEMPLATE,
            lifetime_ms=round(lifetime_s * 1000),
            document_lifetime_ms=round(retention_s * 1000),
        )
        return self.intake.create(new, ceiling, connection=connection, reservation=reservation)

    def claim(self, job_id: str | None = None) -> Claim:
        """Claim a job that is there to be claimed."""
        claim = self.execution.claim(job_id)
        assert claim is not None
        return claim

    def claimed(self, user_id: str = "U1", *, lifetime_s: float = 300) -> Claim:
        """Create a job and claim it."""
        return self.claim(self.create(user_id, lifetime_s=lifetime_s).job_id)

    def renew(self, claim: Claim) -> bool:
        """Renew one lease; whether it was extended. It is lost else: here nobody locks a row."""
        renewal = self.execution.renew([claim])
        assert renewal.extended | renewal.lost == {claim.token}
        return bool(renewal.extended)

    def finish(self, claim: Claim) -> None:
        """Bring an attempt to its good end."""
        assert self.execution.complete(claim, document_of(claim), duration_ms=1)

    @contextmanager
    def locked(self, claim: Claim) -> Iterator[None]:
        """Lock a job's row, as a host's open transaction does, or a worker that stands still within one."""
        with self.database.begin() as connection:
            row = select(job.c.job_id).where(job.c.job_id == claim.job.job_id).with_for_update()
            connection.execute(row).one()
            yield

    def read(self, job_id: str, *, org_id: str = "acme") -> Job:
        """Read a job that is there."""
        found = self.intake.find(org_id, job_id)
        assert found is not None
        return found

    def failed(self, user_id: str = "U1", *, org_id: str = "acme", cause: str = "a cause") -> Claim:
        """Create a job and let its only attempt fail for good."""
        claim = self.claim(self.create(user_id, org_id=org_id).job_id)
        assert self.execution.fail(claim, JobErrorCode.RENDER_FAILED, cause) is JobState.FAILED
        return claim

    def collect(self) -> list[str]:
        """Collect as retention does, but without a store; the keys that would have been deleted."""
        items = self.retention.collectable(1000)
        assert all(self.retention.collected(item) for item in items)
        return [key for item in items for key in item.keys]

    def story(self, job_id: str) -> list[str]:
        """Name the transitions of a job, oldest first."""
        return [event.why for event in self.history.history(job_id)]

    def move_clock(self, seconds: float) -> None:
        """Let time pass."""
        self.database.clock_offset_ms += round(seconds * 1000)

    def move_clock_to_expiry(self, claim: Claim) -> None:
        """Let a lease run out."""
        self._move_to(self.read(claim.job.job_id).lease_until)

    def move_clock_to_deadline(self, job_id: str) -> None:
        """Let a job's time pass."""
        self._move_to(self.read(job_id).deadline_at)

    def move_clock_to_retry(self, job_id: str) -> None:
        """Let a job's wait pass."""
        self._move_to(self.read(job_id).available_at)

    def rows(self) -> tuple[list[Any], list[Any]]:
        """Read everything that is stored, to see that nothing changed."""
        with self.database.read() as connection:
            jobs = connection.execute(select(job).order_by(job.c.job_id)).all()
            events = connection.execute(select(audit).order_by(audit.c.audit_id)).all()
        return list(jobs), list(events)

    def count(self) -> int:
        """Count the jobs."""
        with self.database.read() as connection:
            return connection.execute(select(func.count()).select_from(job)).scalar_one()

    def fail_until_the_end(self, job_id: str, code: JobErrorCode) -> int:
        """Fail attempt after attempt with a code; the number of attempts until the job was FAILED."""
        attempts = 0
        while self.read(job_id).is_active:
            self.move_clock_to_retry(job_id)
            assert self.execution.fail(self.claim(job_id), code, "a cause") is not None
            attempts += 1
        return attempts

    def _move_to(self, instant: int | None) -> None:
        assert instant is not None
        with self.database.read() as connection:
            now = connection.execute(select(self.database.now)).scalar_one()
        self.database.clock_offset_ms += max(instant - now, 0)


def document_of(claim: Claim) -> Document:
    """Describe the document that an attempt has stored."""
    return Document(key=claim.document_key, size=1234, sha256="ab" * 32)
