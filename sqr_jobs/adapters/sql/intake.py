"""The job store as the endpoints use it."""

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import BigInteger, Connection, Integer, RowMapping, bindparam, func, insert, select
from sqlalchemy.exc import IntegrityError

from sqr_jobs.adapters.sql.audit import record
from sqr_jobs.adapters.sql.engine import Database, translated
from sqr_jobs.adapters.sql.idempotency import SqlIdempotency
from sqr_jobs.adapters.sql.operations import ERASED, cancel_job
from sqr_jobs.adapters.sql.rows import expire, is_overdue, job_from_row, select_jobs
from sqr_jobs.adapters.sql.tables import job
from sqr_jobs.domain.job import TWIN_WAIT_S, IdempotencyKey, Job, NewJob, Reservation
from sqr_jobs.domain.rate_limit import RateLimit
from sqr_jobs.domain.states import JobState
from sqr_jobs.errors import (
    DatabaseUnavailable,
    IdempotencyKeyInUse,
    JobAlreadyActive,
    RateLimited,
)

__all__ = ["SqlJobIntake"]

_INSERT = insert(job)
_TRIES = 3


class _NewOrg(Exception):
    """Leaves a transaction in which nothing is written yet, because the org has nothing to lock."""


class SqlJobIntake:
    """`JobIntake` on SQLAlchemy Core, for the jobs of one service."""

    def __init__(self, database: Database, *, service: str) -> None:
        self._database = database
        self._service = service
        self._idempotency = SqlIdempotency(database, service=service)
        self._overdue = is_overdue(database)
        of_org = (job.c.service == service) & (job.c.org_id == bindparam("org"))
        self._own_job = select_jobs(database).where(
            job.c.job_id == bindparam("job"), of_org, job.c.user_id != ERASED
        )
        active = of_org & (job.c.user_id == bindparam("user"))
        active &= job.c.active_slot == 1
        self._active_job = select_jobs(database).where(active)
        newest = (
            select(job.c.accepted_at)
            .where(
                of_org,
                job.c.accepted_at > database.now_as_bound - bindparam("window_ms", type_=BigInteger),
            )
            .order_by(job.c.accepted_at.desc())
            .limit(bindparam("most", type_=Integer))
            .subquery()
        )
        self._standing = select(
            func.count(newest.c.accepted_at).label("accepted"),
            func.min(newest.c.accepted_at).label("oldest"),
            database.now.label("now"),
            select(job.c.job_id).where(active).scalar_subquery().label("active"),
        )

    def create(
        self,
        new: NewJob,
        ceiling: RateLimit,
        *,
        connection: Any = None,
        reservation: Reservation | None = None,
    ) -> Job:
        """Insert a job under the org's lock, so that counting and inserting are one step.

        The lock is held until the transaction ends: with the host's own connection, until the host ends it.
        """
        refused_by = ""
        for _ in range(_TRIES):
            try:
                with self._transaction(connection) as current:
                    return self._create(current, new, ceiling, reservation)
            except _NewOrg:
                refused_by = "no lock"
                # That one is over: whoever kept a connection while asking for a second could wait for others
                # who do the same. A host's own transaction goes on; it alone needs two.
                with self._database.begin() as another:
                    self._database.dialect.add_org(another, self._service, new.org_id)
            except IntegrityError as error:  # a job that this transaction's snapshot did not show: look again
                refused_by = type(error.orig).__name__
        raise DatabaseUnavailable(
            f"The database refused the job {_TRIES} times ({refused_by}) and shows no other of this user. "
            "Where that stays so, its tables are not as sqr-jobs made them. Run: sqr-jobs check"
        )

    def _create(
        self, connection: Connection, new: NewJob, ceiling: RateLimit, reservation: Reservation | None
    ) -> Job:
        if not self._database.dialect.lock_org(connection, self._service, new.org_id):
            raise _NewOrg
        now, has_active = self._refuse_over_ceiling(connection, new, ceiling)
        if has_active:
            self._refuse_second(connection, new)
            # The other one has just ended, after that moment: times must not say that both were active.
            now, _ = self._refuse_over_ceiling(connection, new, ceiling)
        created = self._insert(connection, new, now)
        if reservation is not None:
            self._idempotency.record(connection, reservation, created.job_id)
        return created

    def find(self, org_id: str, job_id: str) -> Job | None:
        """Read one job; the org is part of the question, never checked afterwards."""
        with self._database.read() as connection:
            row = connection.execute(self._own_job, {"job": job_id, "org": org_id}).one_or_none()
        return job_from_row(row) if row else None

    def answered(self, org_id: str, key: IdempotencyKey, *, wait_s: float = TWIN_WAIT_S) -> Job | None:
        """Look for the job that answered a key, and show it as it was then; nothing is written."""
        for _ in range(_TRIES):
            found = self._idempotency.answered(org_id, key, wait_s=wait_s)
            if found is None:
                return None
            answered = self.find(org_id, found)
            if answered is not None:
                return answered.as_created()
            # Erased or deleted between the two looks, and the key with it: look again.
        raise IdempotencyKeyInUse

    def reserve(self, org_id: str, key: IdempotencyKey, *, wait_s: float = TWIN_WAIT_S) -> Reservation | Job:
        """Reserve a key, or show the job that answered it as it was then."""
        until = time.monotonic() + wait_s
        for _ in range(_TRIES):
            reserved = self._idempotency.reserve(org_id, key)
            if reserved is not None:
                return reserved
            answered = self.answered(org_id, key, wait_s=until - time.monotonic())
            if answered is not None:
                return answered
        raise IdempotencyKeyInUse

    def release(self, reservation: Reservation) -> None:
        """Forget a reservation."""
        self._idempotency.release(reservation)

    def settle(self, job: Job) -> Job:
        """End an overdue job by the reaper's own compare-and-swap, so the answer is right without one."""
        with self._database.begin() as connection:
            expire(connection, self._overdue, job)
        return self.find(job.org_id, job.job_id) or job

    def cancel(self, job: Job) -> Job:
        """End it, whichever attempt holds it."""
        return cancel_job(self._database, job)

    def _transaction(self, connection: Connection | None) -> AbstractContextManager[Connection]:
        if connection is None:
            return self._database.begin()
        with translated():
            self._database.dialect.enter(connection)
        return _savepoint(connection)

    def _refuse_over_ceiling(
        self, connection: Connection, new: NewJob, ceiling: RateLimit
    ) -> tuple[int, bool]:
        """Count what was accepted in the window; the moment of counting, and whether a job is active."""
        window_ms = ceiling.window_s * 1000
        asked = {
            "org": new.org_id,
            "user": new.user_id,
            "window_ms": window_ms,
            "most": ceiling.requests,
        }
        seen: RowMapping = connection.execute(self._standing, asked).mappings().one()
        if seen["accepted"] >= ceiling.requests:
            wait_s = math.ceil((seen["oldest"] + window_ms - seen["now"]) / 1000)
            raise RateLimited(
                retry_after_s=min(max(wait_s, 1), ceiling.window_s),
                limit=ceiling.requests,
                window_s=ceiling.window_s,
            )
        return int(seen["now"]), seen["active"] is not None

    def _refuse_second(self, connection: Connection, new: NewJob) -> None:
        asked = {"org": new.org_id, "user": new.user_id}
        row = connection.execute(self._active_job, asked).one_or_none()
        if row is None:
            return
        active = job_from_row(row)
        if not active.is_overdue:
            raise JobAlreadyActive(active)
        expire(connection, self._overdue, active)

    def _insert(self, connection: Connection, new: NewJob, now: int) -> Job:
        created = replace(new.created(now), service=self._service)
        connection.execute(
            _INSERT,
            {
                "job_id": created.job_id,
                "service": created.service,
                "org_id": created.org_id,
                "user_id": created.user_id,
                "template": created.template.name,
                "template_version": created.template.version,
                "state": created.state,
                "attempt": 0,
                "failures": 0,
                "crashes": 0,
                "created_at": now,
                "accepted_at": now,
                "updated_at": now,
                "available_at": now,
                "deadline_at": created.deadline_at,
                "document_lifetime_ms": created.document_lifetime_ms,
            },
        )
        record(connection, created, JobState.QUEUED, attempt=0, token=None, why="create")
        return created


@contextmanager
def _savepoint(connection: Connection) -> Iterator[Connection]:
    """Set a SAVEPOINT in a transaction that the host began and will end."""
    with translated(), connection.begin_nested():
        yield connection
