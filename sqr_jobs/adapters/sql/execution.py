"""The job store as an attempt uses it: every write is fenced."""

import random
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, case, func, select, update

from sqr_jobs.adapters.sql.after_commit import after_commit
from sqr_jobs.adapters.sql.engine import Database
from sqr_jobs.adapters.sql.rows import is_due, job_from_row, move, select_jobs, tell
from sqr_jobs.adapters.sql.tables import audit, job
from sqr_jobs.domain.failures import GiveUp, JobErrorCode, RetryPolicy, after_failure
from sqr_jobs.domain.job import Claim, Document, Job
from sqr_jobs.domain.states import JobState, Transition

__all__ = ["SqlJobExecution"]


class SqlJobExecution:
    """`JobExecution` on SQLAlchemy Core. `jitter` gives numbers in [-1, 1]."""

    def __init__(
        self,
        database: Database,
        *,
        lease_ms: int,
        policy: RetryPolicy,
        jitter: Callable[[], float] = lambda: random.uniform(-1, 1),  # noqa: S311 - spreads load, hides nothing
    ) -> None:
        self._database = database
        self._lease_ms = lease_ms
        self._policy = policy
        self._jitter = jitter

    def claim(self, job_id: str | None) -> Claim | None:
        """Lock a due row that nobody else is locking, and make it RUNNING under a new token."""
        due = select_jobs(self._database).where(is_due(self._database.now))
        oldest = due.order_by(job.c.available_at, job.c.job_id).limit(1)
        wanted = [oldest] if job_id is None else [due.where(job.c.job_id == job_id), oldest]
        with self._database.begin() as connection:
            for question in wanted:
                row = connection.execute(question.with_for_update(skip_locked=True)).one_or_none()
                if row is not None:
                    break
            else:
                return None
            seen = job_from_row(row)
            token = secrets.token_hex(16)
            running = replace(
                seen,
                state=JobState.RUNNING,
                attempt=seen.attempt + 1,
                updated_at=seen.as_of,
                lease_token=token,
                lease_until=min(seen.as_of + self._lease_ms, seen.deadline_at),
            )
            claimed = move(
                connection,
                seen,
                Transition.CLAIM,
                job.c.deadline_at > self._database.now,
                values={
                    "attempt": running.attempt,
                    "lease_token": token,
                    "lease_until": running.lease_until,
                },
            )
        return Claim(job=running, token=token) if claimed else None

    def renew(self, claim: Claim) -> bool:
        """Extend the lease, never past the deadline."""
        until = self._database.now + self._lease_ms
        with self._database.begin() as connection:
            changed = connection.execute(
                update(job)
                .where(
                    job.c.job_id == claim.job.job_id,
                    job.c.state == JobState.RUNNING,
                    job.c.attempt == claim.job.attempt,
                    job.c.lease_token == claim.token,
                    self._in_time(),
                )
                .values(lease_until=case((until < job.c.deadline_at, until), else_=job.c.deadline_at))
            )
        return changed.rowcount == 1

    def complete(self, claim: Claim, document: Document, *, duration_ms: int) -> bool:
        """Record the stored document. The answer to a lost COMMIT is found by asking again."""
        with self._database.begin() as connection:
            held = self._held(connection, claim)
            if held is None:
                return self._has_completed(connection, claim, document)
            return move(
                connection,
                held,
                Transition.COMPLETE,
                self._in_time(),
                values={
                    "document_key": document.key,
                    "document_size": document.size,
                    "document_sha256": document.sha256,
                    "document_expires_at": held.as_of + held.document_lifetime_ms,
                    "duration_ms": duration_ms,
                    "error_code": None,
                    "lease_until": None,
                },
            )

    def fail(self, claim: Claim, code: JobErrorCode, cause: str) -> JobState | None:
        """Count the failure and let the domain decide what follows."""
        with self._database.begin() as connection:
            held = self._held(connection, claim)
            if held is None:
                return None
            same_before = connection.execute(
                select(func.count())
                .select_from(audit)
                .where(audit.c.job_id == held.job_id, audit.c.error_code == code)
            ).scalar_one()
            decision = after_failure(
                code,
                failures=held.failures,
                crashes=held.crashes,
                same_before=same_before,
                left_ms=held.deadline_at - held.as_of,
                policy=self._policy,
                jitter=self._jitter(),
            )
            values: dict[str, Any] = {
                "failures": decision.failures,
                "crashes": decision.crashes,
                "error_code": code,
                "lease_until": None,
            }
            if isinstance(decision, GiveUp):
                transition = Transition.FAIL
            else:
                transition = Transition.RETRY
                values["available_at"] = held.as_of + decision.delay_ms
            moved = move(connection, held, transition, self._in_time(), values=values, code=code, cause=cause)
        if not moved:
            return None
        return JobState.FAILED if transition is Transition.FAIL else JobState.RETRY_WAIT

    def give_back(self, claim: Claim, *, delay_ms: int, code: JobErrorCode | None = None) -> bool:
        """Return the job; `code` says why, for the deadline's sake, and counts as no failure."""
        with self._database.begin() as connection:
            held = self._held(connection, claim)
            if held is None:
                return False
            return move(
                connection,
                held,
                Transition.GIVE_BACK,
                self._in_time(),
                values={
                    "available_at": held.as_of + delay_ms,
                    "lease_until": None,
                    "error_code": code or held.error_code,
                },
                code=code,
            )

    def _in_time(self) -> ColumnElement[bool]:
        return job.c.deadline_at > self._database.now

    def _held(self, connection: Any, claim: Claim) -> Job | None:
        """Lock and read the job if it still is this attempt's."""
        row = connection.execute(
            select_jobs(self._database)
            .where(
                job.c.job_id == claim.job.job_id,
                job.c.state == JobState.RUNNING,
                job.c.attempt == claim.job.attempt,
                job.c.lease_token == claim.token,
            )
            .with_for_update()
        ).one_or_none()
        return job_from_row(row) if row else None

    def _has_completed(self, connection: Any, claim: Claim, document: Document) -> bool:
        """Look whether this attempt's own COMMIT, whose answer was lost, came through; then tell of it."""
        key = connection.execute(
            select(job.c.document_key).where(
                job.c.job_id == claim.job.job_id, job.c.state == JobState.COMPLETE
            )
        ).scalar_one_or_none()
        if key != document.key:
            return False
        source, why = JobState.RUNNING, Transition.COMPLETE
        attempt = claim.job.attempt
        after_commit(connection, lambda: tell(claim.job, source, JobState.COMPLETE, attempt=attempt, why=why))
        return True
