"""The job store as an attempt uses it: every write is fenced."""

import random
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, case, func, select, tuple_, update

from sqr_jobs.adapters.sql.after_commit import after_commit
from sqr_jobs.adapters.sql.audit import tell
from sqr_jobs.adapters.sql.engine import Database
from sqr_jobs.adapters.sql.rows import is_due, is_of, job_from_row, move, select_jobs
from sqr_jobs.adapters.sql.tables import audit, job
from sqr_jobs.domain.failures import GiveUp, JobErrorCode, RetryPolicy, after_failure, growing_delay_ms
from sqr_jobs.domain.job import Claim, Document, Job, Renewal, TemplateRef
from sqr_jobs.domain.states import JobState, Transition

__all__ = ["SqlJobExecution"]

_UNKNOWN = JobErrorCode.TEMPLATE_NOT_FOUND


class SqlJobExecution:
    """`JobExecution` on SQLAlchemy Core, for the jobs of one service.

    `templates` are those that this worker knows, by default all: it claims no other job. `worker` names its
    process in the history. `jitter` gives numbers in [-1, 1].
    """

    def __init__(
        self,
        database: Database,
        *,
        service: str,
        worker: str,
        templates: Sequence[TemplateRef] | None = None,
        lease_ms: int,
        policy: RetryPolicy,
        jitter: Callable[[], float] = lambda: random.uniform(-1, 1),  # noqa: S311 - spreads load, hides nothing
    ) -> None:
        self._database = database
        self._worker = worker
        self._lease_ms = lease_ms
        self._policy = policy
        self._jitter = jitter
        self._in_time = job.c.deadline_at > database.now
        due = select_jobs(database).where(is_due(database.now, service), is_of(templates))
        due = due.with_for_update(skip_locked=True)
        self._named = due.where(job.c.job_id == bindparam("job"))
        # A sort would lock every due row, and have the other claimers find none.
        by_index = due.with_hint(job, "FORCE INDEX (sqr_jobs_job_due)", "mysql")
        by_index = by_index.with_hint(job, "FORCE INDEX (sqr_jobs_job_due)", "mariadb")
        self._oldest = by_index.order_by(job.c.available_at, job.c.job_id).limit(1)
        self._own = (
            job.c.job_id == bindparam("job"),
            job.c.state == JobState.RUNNING,
            job.c.attempt == bindparam("held_attempt"),
            job.c.lease_token == bindparam("held_token"),
        )
        self._held_row = select_jobs(database).where(*self._own).with_for_update()
        attempts = tuple_(job.c.job_id, job.c.attempt, job.c.lease_token)
        self._leased = select(job.c.job_id, job.c.lease_token).where(
            job.c.job_id.in_(bindparam("jobs", expanding=True)),
            job.c.state == JobState.RUNNING,
            attempts.in_(bindparam("held", expanding=True)),
            self._in_time,
        )
        self._leased_and_free = self._leased.with_for_update(skip_locked=True)
        until = database.now + lease_ms
        self._renewal = (
            update(job)
            .where(job.c.job_id.in_(bindparam("jobs", expanding=True)))
            .values(lease_until=case((until < job.c.deadline_at, until), else_=job.c.deadline_at))
        )

    def claim(self, job_id: str | None) -> Claim | None:
        """Lock a due row that nobody else is locking, and make it RUNNING under a new token."""
        wanted = [self._oldest] if job_id is None else [self._named, self._oldest]
        with self._database.begin() as connection:
            for question in wanted:
                row = connection.execute(question, {"job": job_id}).one_or_none()
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
                # This worker knows the template, whatever another one noted.
                error_code=None if seen.error_code is _UNKNOWN else seen.error_code,
            )
            claimed = move(
                connection,
                seen,
                Transition.CLAIM,
                self._in_time,
                values={
                    "attempt": running.attempt,
                    "lease_token": token,
                    "lease_until": running.lease_until,
                    "lease_ms": self._lease_ms,
                    "error_code": running.error_code,
                },
                worker=self._worker,
            )
        return Claim(job=running, token=token) if claimed else None

    def renew(self, claims: Sequence[Claim]) -> Renewal:
        """Lock what is still held, and extend it, never past the deadline."""
        held = [(claim.job.job_id, claim.job.attempt, claim.token) for claim in claims]
        asked = {"jobs": [job_id for job_id, _, _ in held], "held": held}
        tokens = frozenset(claim.token for claim in claims)
        with self._database.begin() as connection:
            locked = connection.execute(self._leased_and_free, asked).all()
            extended = frozenset(row.lease_token for row in locked)
            if extended:
                # By no other id: MariaDB waits for each row that it looks at, whatever else it has to be.
                connection.execute(self._renewal, {"jobs": [row.job_id for row in locked]})
            if extended == tokens:
                return Renewal(extended=extended, lost=frozenset())
            standing = frozenset(row.lease_token for row in connection.execute(self._leased, asked))
        return Renewal(extended=extended, lost=tokens - extended - standing)

    def complete(
        self, claim: Claim, document: Document, *, duration_ms: int, note: str | None = None
    ) -> bool:
        """Record the stored document. The answer to a lost COMMIT is found by asking again."""
        with self._database.begin() as connection:
            held = self._held(connection, claim)
            if held is None:
                return self._has_completed(connection, claim, document)
            return move(
                connection,
                held,
                Transition.COMPLETE,
                self._in_time,
                values={
                    "document_key": document.key,
                    "document_size": document.size,
                    "document_sha256": document.sha256,
                    "document_expires_at": held.as_of + held.document_lifetime_ms,
                    "duration_ms": duration_ms,
                    "error_code": None,
                    "lease_until": None,
                },
                cause=note,
            )

    def fail(
        self, claim: Claim, code: JobErrorCode, cause: str, *, is_final: bool = False
    ) -> JobState | None:
        """Count the failure and let the domain decide what follows."""
        with self._database.begin() as connection:
            held = self._held(connection, claim)
            if held is None:
                return None
            same_before = self._count(connection, held, code)
            decision = after_failure(
                code,
                failures=held.failures,
                crashes=held.crashes,
                is_final=is_final,
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
            moved = move(connection, held, transition, self._in_time, values=values, code=code, cause=cause)
        if not moved:
            return None
        return JobState.FAILED if transition is Transition.FAIL else JobState.RETRY_WAIT

    def give_back(
        self, claim: Claim, *, delay_ms: int, code: JobErrorCode | None = None, cause: str | None = None
    ) -> bool:
        """Return the job; `code` says why, for the deadline's sake, and counts as no failure."""
        with self._database.begin() as connection:
            held = self._held(connection, claim)
            if held is None:
                return False
            if code is JobErrorCode.TEMPLATE_NOT_FOUND:
                delay_ms = growing_delay_ms(delay_ms, same_before=self._count(connection, held, code))
            return move(
                connection,
                held,
                Transition.GIVE_BACK,
                self._in_time,
                values={
                    "available_at": held.as_of + delay_ms,
                    "lease_until": None,
                    "error_code": code or held.error_code,
                },
                code=code,
                cause=cause,
            )

    def _held(self, connection: Any, claim: Claim) -> Job | None:
        """Lock and read the job if it still is this attempt's."""
        row = connection.execute(self._held_row, _shown(claim)).one_or_none()
        return job_from_row(row) if row else None

    def _count(self, connection: Any, held: Job, code: JobErrorCode) -> int:
        """Count the attempts at a job that ended with this code."""
        same = select(func.count()).select_from(audit)
        same = same.where(audit.c.job_id == held.job_id, audit.c.error_code == code)
        return int(connection.execute(same).scalar_one())

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


def _shown(claim: Claim) -> dict[str, Any]:
    """Give what a write must show: the attempt and its fencing token."""
    return {"job": claim.job.job_id, "held_attempt": claim.job.attempt, "held_token": claim.token}
