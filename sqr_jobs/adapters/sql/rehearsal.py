"""Tries every kind of write that a job needs, and rolls all of it back."""

import secrets
import uuid

from sqlalchemy import delete

from sqr_jobs.adapters.sql.engine import Database
from sqr_jobs.adapters.sql.idempotency import SqlIdempotency
from sqr_jobs.adapters.sql.intake import SqlJobIntake
from sqr_jobs.adapters.sql.rows import move
from sqr_jobs.adapters.sql.tables import job
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import IdempotencyKey, NewJob, TemplateRef
from sqr_jobs.domain.rate_limit import RateLimit
from sqr_jobs.domain.states import Transition

__all__ = ["rehearse"]

_NAME = "sqr-jobs-check"
"""The org and user of the job: always the same, since MariaDB keeps a row for each org that ever asked."""
_HOUR_MS = 3_600_000
_NO_LIMIT = RateLimit(requests=1_000_000, window_s=1)


class _RolledBack(Exception):
    """Leaves the transaction without a commit."""


def rehearse(database: Database, intake: SqlJobIntake, *, service: str) -> None:
    """Reserve a key, create a job, cancel and delete it by the service's own statements, uncommitted.

    Nobody else ever sees the job, so no worker claims it, and only another rehearsal waits for this one's
    lock (on SQLite each writer, for milliseconds). Raises `DatabaseUnavailable`.
    """
    new = NewJob(
        job_id=str(uuid.uuid4()),
        org_id=_NAME,
        user_id=_NAME,
        template=TemplateRef(name=_NAME, version="1"),
        lifetime_ms=_HOUR_MS,
        document_lifetime_ms=_HOUR_MS,
    )
    key = IdempotencyKey(key_hash=secrets.token_hex(32), fingerprint=secrets.token_hex(32))
    try:
        with database.begin() as connection:
            reservation = SqlIdempotency(database, service=service).insert(connection, new.org_id, key)
            created = intake.create(new, _NO_LIMIT, connection=connection, reservation=reservation)
            code = JobErrorCode.CANCELLED
            move(connection, created, Transition.CANCEL, values={"error_code": code}, code=code)
            connection.execute(delete(job).where(job.c.job_id == created.job_id))
            raise _RolledBack  # noqa: TRY301 - the one way out of `begin` that commits nothing
    except _RolledBack:
        return
