"""The job store as relay, reaper and operators use it."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, not_, select, tuple_, update

from sqr_jobs.adapters.sql.engine import Database
from sqr_jobs.adapters.sql.rewind import Rewind
from sqr_jobs.adapters.sql.rows import (
    expire,
    is_due,
    is_of,
    is_overdue,
    job_from_row,
    move,
    select_jobs,
    state_of,
)
from sqr_jobs.adapters.sql.tables import audit, idempotency, identity, job
from sqr_jobs.domain.failures import GiveUp, JobErrorCode, RetryPolicy, after_lost_lease
from sqr_jobs.domain.job import Job, JobEvent, TemplateRef
from sqr_jobs.domain.states import ACTIVE, TRANSITIONS, JobState, Transition

__all__ = ["SqlJobHistory", "SqlJobUpkeep"]

_WORKER = select(audit.c.worker).where(
    audit.c.job_id == bindparam("job"),
    audit.c.attempt == bindparam("attempt"),
    audit.c.why == Transition.CLAIM,
)


class SqlJobUpkeep:
    """`JobUpkeep` on SQLAlchemy Core.

    Rings, leases and notes are about the jobs of one service, whose `templates` these are, by default all.
    Deadlines, old keys and rows from the future are every service's, one without workers included.
    """

    def __init__(
        self,
        database: Database,
        *,
        service: str,
        templates: Sequence[TemplateRef] | None = None,
        policy: RetryPolicy,
    ) -> None:
        self._database = database
        self._policy = policy
        self._rewind = Rewind(database)
        self._due = is_due(database.now, service) & is_of(templates)
        active = (job.c.active_slot == 1) & (job.c.service == service)
        self._running = active & (job.c.state == JobState.RUNNING)
        waiting = active & job.c.state.in_(sorted(TRANSITIONS[Transition.CLAIM][0]))
        self._unknown = waiting & not_(is_of(templates))
        self._overdue = is_overdue(database)
        self._ran_out = job.c.lease_until <= database.now
        row = select(job.c.job_id).where(job.c.job_id == bindparam("job"))
        self._free = row.with_for_update(skip_locked=True)

    def count_due(self) -> int:
        """Count the due jobs."""
        with self._database.read() as connection:
            return connection.execute(select(func.count()).select_from(job).where(self._due)).scalar_one()

    def due(self, limit: int) -> Sequence[str]:
        """Name the oldest due jobs."""
        oldest = select(job.c.job_id).where(self._due).order_by(job.c.available_at, job.c.job_id)
        with self._database.read() as connection:
            return connection.execute(oldest.limit(limit)).scalars().all()

    def unknown_templates(self) -> Sequence[TemplateRef]:
        """Name the templates of waiting jobs that this service's code does not have."""
        names = select(job.c.template, job.c.template_version).where(self._unknown).distinct()
        with self._database.read() as connection:
            rows = connection.execute(names).all()
        return sorted((TemplateRef(name=row.template, version=row.template_version) for row in rows), key=str)

    def note_unknown(self, limit: int) -> int:
        """Note it on their rows, for the deadline's sake; no state changes."""
        code = JobErrorCode.TEMPLATE_NOT_FOUND
        unnoted = job.c.error_code.is_(None)  # the cause of a worker that had the template stays

        def note(connection: Connection, seen: Job) -> bool:
            same = (job.c.job_id == seen.job_id, job.c.attempt == seen.attempt, self._unknown, unnoted)
            return connection.execute(update(job).where(*same).values(error_code=code)).rowcount == 1

        return self._reap(self._unknown & unnoted, limit, note)

    def rewind(self, limit: int) -> int:
        """Move rows to the present that a clock, set back since, has left in the future."""
        self._rewind.keys(limit)
        return self._rewind.jobs(limit)

    def reap_leases(self, limit: int) -> int:
        """Take RUNNING jobs whose lease ran out, each by a compare-and-swap over what was seen."""
        ran_out = self._running & self._ran_out & (job.c.deadline_at > self._database.now)
        return self._reap(ran_out, limit, self._lose)

    def reap_deadlines(self, limit: int) -> int:
        """End active jobs that are past their deadline, in the same way."""
        overdue = (job.c.active_slot == 1) & self._overdue
        overdue &= job.c.state.in_(sorted(ACTIVE))  # what a later version has put elsewhere is its to end
        return self._reap(overdue, limit, lambda c, seen: expire(c, self._overdue, seen))

    def forget_keys(self, limit: int) -> int:
        """Delete lapsed reservations, and records that are older than a day."""
        names = (idempotency.c.service, idempotency.c.org_id, idempotency.c.key_hash)
        lapsed = select(*names).where(idempotency.c.lapses_at <= self._database.now_as_bound)
        with self._database.read() as connection:
            keys = connection.execute(lapsed.limit(limit)).all()
        if not keys:
            return 0
        with self._database.begin() as connection:
            deleted = connection.execute(
                delete(idempotency).where(
                    tuple_(*names).in_([tuple(key) for key in keys]),
                    idempotency.c.lapses_at <= self._database.now,
                )
            )
        return deleted.rowcount

    def database_identity(self) -> str:
        """Read the identity that the migration gave."""
        with self._database.read() as connection:
            return str(connection.execute(select(identity.c.identity)).scalar_one())

    def _reap(
        self, condition: ColumnElement[bool], limit: int, take: Callable[[Connection, Job], bool]
    ) -> int:
        with self._database.read() as connection:
            rows = connection.execute(select_jobs(self._database).where(condition).limit(limit)).all()
        taken = 0
        for row in rows:  # one short transaction each: who dies in mid-batch leaves nothing half done
            with self._database.begin() as connection:
                # Whoever locks one row for long, such as a host's open transaction, holds up no other.
                if connection.execute(self._free, {"job": row.job_id}).first() is not None:
                    taken += take(connection, job_from_row(row))
        return taken

    def _lose(self, connection: Connection, seen: Job) -> bool:
        decision = after_lost_lease(failures=seen.failures, crashes=seen.crashes, policy=self._policy)
        code = JobErrorCode.WORKER_LOST
        values: dict[str, Any] = {"crashes": decision.crashes, "error_code": code, "lease_until": None}
        if isinstance(decision, GiveUp):
            transition = Transition.FAIL
        else:
            transition = Transition.LOSE
            values["available_at"] = seen.as_of + decision.delay_ms
        worker = connection.execute(_WORKER, {"job": seen.job_id, "attempt": seen.attempt}).scalar()
        return move(connection, seen, transition, self._ran_out, values=values, code=code, worker=worker)


class SqlJobHistory:
    """`JobHistory` on SQLAlchemy Core."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def history(self, job_id: str) -> Sequence[JobEvent]:
        """Read the audit rows of a job."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(audit).where(audit.c.job_id == job_id).order_by(audit.c.audit_id)
            ).all()
        return [
            JobEvent(
                job_id=row.job_id,
                at=row.at,
                from_state=state_of(row.from_state) if row.from_state else None,
                to_state=state_of(row.to_state),
                attempt=row.attempt,
                why=row.why,
                token=row.lease_token,
                error_code=JobErrorCode(row.error_code) if row.error_code else None,
                cause=row.cause,
                worker=row.worker,
            )
            for row in rows
        ]
