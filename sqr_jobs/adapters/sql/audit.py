"""The history of jobs: an audit row for each change, in the transaction of the change, and its log line."""

import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert
from sqlalchemy.exc import DBAPIError

from sqr_jobs.adapters.sql.after_commit import after_commit
from sqr_jobs.adapters.sql.tables import audit
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import Job
from sqr_jobs.domain.states import JobState, Transition
from sqr_jobs.logs import job_fields

__all__ = ["record", "tell"]

_logger = logging.getLogger("sqr_jobs.jobs")

_RECORD = insert(audit)
_LONGEST_WORKER = 255


def record(
    connection: Connection,
    seen: Job,
    target: JobState,
    *,
    attempt: int,
    token: str | None,
    why: str,
    code: JobErrorCode | None = None,
    cause: str | None = None,
    worker: str | None = None,
) -> None:
    """Write the audit row of a change, in the transaction of the change itself.

    `worker` is the process that claims the job, or the one whose lease is lost.
    """
    source = None if target is JobState.QUEUED else seen.state
    row = {
        "job_id": seen.job_id,
        "from_state": source,
        "to_state": target,
        "attempt": attempt,
        "lease_token": token,
        "at": seen.as_of,
        "why": why,
        "error_code": code,
        "cause": None,
        "worker": worker[:_LONGEST_WORKER] if worker else None,
    }
    if not (cause and _record_with_cause(connection, row, cause)):
        connection.execute(_RECORD, row)
    after_commit(
        connection,
        lambda: tell(seen, source, target, attempt=attempt, why=why, code=code, worker=worker),
        in_doubt=lambda: _doubt(seen, source, target, why),
    )


def _record_with_cause(connection: Connection, row: Mapping[str, Any], cause: str) -> bool:
    """Write the row with its cause; False if the database refuses it, and nothing is written.

    An encoding or a column that can't hold the text must not decide how an attempt ends.
    """
    try:
        with connection.begin_nested():
            connection.execute(_RECORD, {**row, "cause": _storable(cause)})
    except (DBAPIError, UnicodeError):  # a driver raises the second before it sends anything
        if connection.invalidated:
            raise
        return False
    return True


def _doubt(job: Job, source: JobState | None, target: JobState, why: str) -> None:
    """Log a change of which nobody here knows whether it is committed."""
    _logger.warning(
        "job %s: %s -> %s (%s) is in doubt, the database's answer to its COMMIT was lost. The job's history "
        "tells; what did not happen is done again, or ends with the job's lease or deadline",
        job.job_id,
        source or "new",
        target,
        why,
        extra=job_fields(job),
    )


def tell(
    job: Job,
    source: JobState | None,
    target: JobState,
    *,
    attempt: int,
    why: str,
    code: JobErrorCode | None = None,
    worker: str | None = None,
) -> None:
    """Log a change, once it is committed."""
    fields = job_fields(
        job, state=target, attempt=attempt, from_state=source, why=why, error_code=code, worker=worker
    )
    reason = str(why)
    if worker is not None:
        reason += f" by {worker}" if why == Transition.CLAIM else f": lease of {worker} lost"
    _logger.info("job %s: %s -> %s (%s)", job.job_id, source or "new", target, reason, extra=fields)


def _storable(text: str) -> str:
    """Cut an error's text to what every database takes."""
    return text[:10_000].replace("\x00", "").encode("utf-8", "replace").decode()
