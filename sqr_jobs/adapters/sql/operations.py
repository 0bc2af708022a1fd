"""The job store as operators use it."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select, update

from sqr_jobs.adapters.sql.engine import Database
from sqr_jobs.adapters.sql.retention import claimed_keys
from sqr_jobs.adapters.sql.rows import job_from_row, move, select_jobs
from sqr_jobs.adapters.sql.tables import audit, idempotency, job
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import Job
from sqr_jobs.domain.states import Transition
from sqr_jobs.domain.upkeep import Erased, JobSearch

__all__ = ["ERASED", "SqlJobOperations", "cancel_job"]

ERASED = ""
"""The `user_id` of a job whose person was erased; no request can name it."""


class SqlJobOperations:
    """`JobOperations` on SQLAlchemy Core, for the jobs of one service."""

    def __init__(self, database: Database, *, service: str) -> None:
        self._database = database
        self._jobs = select_jobs(database).where(job.c.service == service)

    def search(self, wanted: JobSearch) -> Sequence[Job]:
        """Read the newest jobs that fit."""
        question = self._jobs.order_by(job.c.created_at.desc(), job.c.job_id)
        for column, value in (
            (job.c.org_id, wanted.org_id),
            (job.c.user_id, wanted.user_id),
            (job.c.template, wanted.template),
            (job.c.error_code, wanted.error_code),
        ):
            if value is not None:
                question = question.where(column == value)
        if wanted.states:
            question = question.where(job.c.state.in_(sorted(wanted.states)))
        with self._database.read() as connection:
            return [job_from_row(row) for row in connection.execute(question.limit(wanted.limit))]

    def get(self, job_id: str) -> Job | None:
        """Read one job."""
        with self._database.read() as connection:
            row = connection.execute(self._jobs.where(job.c.job_id == job_id)).one_or_none()
        return job_from_row(row) if row else None

    def cancel(self, job: Job) -> Job:
        """Cancel it whichever attempt holds it."""
        return cancel_job(self._database, job)

    def document_keys(self, job_ids: Sequence[str]) -> Sequence[str]:
        """Name them by the audit's claims."""
        with self._database.read() as connection:
            keys = claimed_keys(connection, job_ids)
        return [key for job_id in job_ids for key in keys.get(job_id, ())]

    def erase(self, job_ids: Sequence[str]) -> Erased:
        """Blank what tells of a person; what is left says that there was a job, and how it went."""
        with self._database.begin() as connection:
            # First and in one order: who erases or deletes the same rows at the same time waits here.
            mine = select(job.c.job_id).where(job.c.job_id.in_(job_ids)).order_by(job.c.job_id)
            connection.execute(mine.with_for_update()).all()
            forgotten = connection.execute(delete(idempotency).where(idempotency.c.job_id.in_(job_ids)))
            causes = connection.execute(
                update(audit)
                .where(audit.c.job_id.in_(job_ids), audit.c.cause.is_not(None))
                .values(cause=None)
            )
            erased = connection.execute(
                update(job)
                .where(job.c.job_id.in_(job_ids), job.c.active_slot.is_(None), job.c.user_id != ERASED)
                .values(
                    user_id=ERASED,
                    document_key=None,
                    document_size=None,
                    document_sha256=None,
                    # What an attempt stores from now on, which nothing can stop, is collected in an hour.
                    collect_at=self._database.now,
                    completed_at=func.coalesce(job.c.completed_at, self._database.now),
                )
            )
        return Erased(jobs=erased.rowcount, causes=causes.rowcount, idempotency_keys=forgotten.rowcount)


def cancel_job(database: Database, seen: Job) -> Job:
    """End an active job, whoever holds it; return it as it stands."""
    with database.begin() as connection:
        row = connection.execute(
            select_jobs(database).where(job.c.job_id == seen.job_id).with_for_update()
        ).one_or_none()
        locked = job_from_row(row) if row else None
        if locked is not None and locked.is_active:
            code = JobErrorCode.CANCELLED
            values = {"error_code": code, "lease_until": None}
            move(connection, locked, Transition.CANCEL, values=values, code=code)
    with database.read() as connection:
        row = connection.execute(select_jobs(database).where(job.c.job_id == seen.job_id)).one_or_none()
    return job_from_row(row) if row else seen
