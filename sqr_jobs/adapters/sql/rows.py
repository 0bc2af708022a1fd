"""From rows to domain objects, and the one conditional write that every change of state goes through."""

import functools
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Update,
    bindparam,
    case,
    select,
    true,
    tuple_,
    update,
)

from sqr_jobs.adapters.sql.audit import record
from sqr_jobs.adapters.sql.engine import Database
from sqr_jobs.adapters.sql.tables import job
from sqr_jobs.domain.failures import FAULTS_OF_THE_WORKER, JobErrorCode
from sqr_jobs.domain.job import Document, Job, TemplateRef
from sqr_jobs.domain.states import TERMINAL, TRANSITIONS, JobState, Transition
from sqr_jobs.errors import DatabaseUnavailable

__all__ = [
    "expire",
    "is_due",
    "is_of",
    "is_overdue",
    "job_from_row",
    "move",
    "select_jobs",
    "state_of",
]

_logger = logging.getLogger("sqr_jobs.jobs")

_WAITING = sorted(TRANSITIONS[Transition.CLAIM][0])
_COLUMNS = [column for column in job.c if column.name != "active_slot"]


def select_jobs(database: Database) -> Select[Any]:
    """Select whole jobs with the moment of reading as `as_of`."""
    return select(*_COLUMNS, database.now.label("as_of"))


def job_from_row(row: Row[Any]) -> Job:
    """Build the domain's job from a row of `select_jobs`."""
    document = None
    if row.document_key is not None:
        document = Document(key=row.document_key, size=row.document_size, sha256=row.document_sha256)
    return Job(
        job_id=row.job_id,
        org_id=row.org_id,
        user_id=row.user_id,
        template=TemplateRef(name=row.template, version=row.template_version),
        state=state_of(row.state),
        attempt=row.attempt,
        failures=row.failures,
        crashes=row.crashes,
        created_at=row.created_at,
        updated_at=row.updated_at,
        available_at=row.available_at,
        deadline_at=row.deadline_at,
        document_lifetime_ms=row.document_lifetime_ms,
        as_of=row.as_of,
        service=row.service,
        lease_until=row.lease_until,
        lease_token=row.lease_token,
        completed_at=row.completed_at,
        error_code=JobErrorCode(row.error_code) if row.error_code else None,
        duration_ms=row.duration_ms,
        document=document,
        document_expires_at=row.document_expires_at,
    )


def state_of(written: str) -> JobState:
    """Read a state. Raises `DatabaseUnavailable` for one that only a later version knows."""
    try:
        return JobState(written)
    except ValueError:
        raise DatabaseUnavailable(
            f"A job is in a state that a later version of sqr-jobs wrote ({written}). Upgrade this process."
        ) from None


def is_of(templates: Sequence[TemplateRef] | None) -> ColumnElement[bool]:
    """Whether a job's template is one of these; None stands for all."""
    if templates is None:
        return true()
    known = [(ref.name, ref.version) for ref in templates]
    return tuple_(job.c.template, job.c.template_version).in_(known)


def is_due(now: ColumnElement[int], service: str) -> ColumnElement[bool]:
    """Whether workers of a service may claim a job."""
    return (
        (job.c.active_slot == 1)
        & (job.c.service == service)
        & job.c.state.in_(_WAITING)
        & (job.c.available_at <= now)
        & (job.c.deadline_at > now)
    )


def move(
    connection: Connection,
    seen: Job,
    transition: Transition,
    *guards: ColumnElement[bool],
    values: Mapping[str, Any],
    code: JobErrorCode | None = None,
    cause: str | None = None,
    worker: str | None = None,
) -> bool:
    """Carry out one transition if the job still stands as it was seen, with its audit row.

    The write is a compare-and-swap over state, attempt and token, and over `guards`, which hold the time.
    False means that the job moved on: nothing was written.
    """
    sources, target = TRANSITIONS[transition]
    if seen.state not in sources:
        return False
    ended_at = seen.as_of if target in TERMINAL else None
    written = {
        "state": target,
        "updated_at": seen.as_of,
        "completed_at": ended_at,
        "collect_at": ended_at,
        **values,
    }
    stood: dict[str, Any] = {
        "seen_job": seen.job_id,
        "seen_state": seen.state,
        "seen_attempt": seen.attempt,
        "seen_token": seen.lease_token,
    }
    is_end = ended_at is not None
    if is_end:
        stood["ended_at"] = ended_at
    changed = connection.execute(_swap(tuple(written), guards, is_end), written | stood)
    if changed.rowcount != 1:
        return False
    attempt, token = values.get("attempt", seen.attempt), values.get("lease_token") or seen.lease_token
    record(
        connection,
        seen,
        target,
        attempt=attempt,
        token=token,
        why=transition,
        code=code,
        cause=cause,
        worker=worker,
    )
    return True


@functools.lru_cache(maxsize=128)
def _swap(names: tuple[str, ...], guards: tuple[ColumnElement[bool], ...], is_end: bool) -> Update:  # noqa: FBT001 - a key of the cache
    """Compose the compare-and-swap once for each kind of change, which takes longer than to carry it out."""
    values: dict[str, ColumnElement[Any]] = {name: bindparam(name) for name in names}
    if is_end:
        # The clock was set back since the creation, and `rewind.py` finds no job that ended in the past.
        ended_at = bindparam("ended_at", type_=job.c.completed_at.type)
        values["accepted_at"] = case((job.c.accepted_at > ended_at, ended_at), else_=job.c.accepted_at)
    return (
        update(job)
        .where(
            job.c.job_id == bindparam("seen_job"),
            job.c.state == bindparam("seen_state"),
            job.c.attempt == bindparam("seen_attempt"),
            job.c.lease_token.is_not_distinct_from(bindparam("seen_token", type_=job.c.lease_token.type)),
            *guards,
        )
        .values(values)
    )


def is_overdue(database: Database) -> ColumnElement[bool]:
    """Whether a job is past its deadline; made once by whoever calls `expire` with it."""
    return job.c.deadline_at <= database.now


def expire(connection: Connection, overdue: ColumnElement[bool], seen: Job) -> bool:
    """End a job that is past its deadline.

    By its own code where a worker noted that it is not able to make it, and none has claimed the job since.
    """
    unable = seen.state.value in _WAITING and seen.error_code in FAULTS_OF_THE_WORKER
    code = seen.error_code if unable and seen.error_code else JobErrorCode.DEADLINE_EXCEEDED
    return move(
        connection,
        seen,
        Transition.EXPIRE,
        overdue,
        values={"error_code": code, "lease_until": None},
        code=code,
        cause=f"last failure: {seen.error_code}" if seen.error_code else None,
    )
