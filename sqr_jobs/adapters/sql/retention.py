"""The job store as retention uses it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, ScalarSelect, bindparam, delete, select, update
from sqlalchemy.exc import IntegrityError

from sqr_jobs.adapters.sql.engine import Database
from sqr_jobs.adapters.sql.tables import audit, job
from sqr_jobs.domain.job import document_key
from sqr_jobs.domain.states import Transition
from sqr_jobs.domain.upkeep import Collectable
from sqr_jobs.errors import ConfigurationError

__all__ = ["SqlJobRetention", "claimed_keys"]


class SqlJobRetention:
    """`JobRetention` on SQLAlchemy Core, for the jobs of one service.

    Another service alone knows the store and the lifetime of its jobs, so it alone deletes them.

    `collect_at` tells since when a job's objects are to be deleted: at first those of attempts that lost,
    since its end; then its document, since that expired; nothing any more where it is NULL. `grace_ms` is how
    much later that is done: no attempt writes any more by then. Each question walks along one index.
    """

    def __init__(
        self, database: Database, *, service: str, job_lifetime_ms: int, grace_ms: int = 3_600_000
    ) -> None:
        self._database = database
        self._service = service
        self._grace_ms = grace_ms
        columns = (job.c.job_id, job.c.collect_at, job.c.document_key, job.c.document_expires_at)
        self._due = (
            select(*columns, database.now.label("as_of"))
            .where(job.c.collect_at <= self._before(grace_ms), job.c.service == service)
            .order_by(job.c.collect_at)
            .limit(bindparam("limit"))
        )
        self._old = (
            select(job.c.job_id)
            .where(
                job.c.completed_at <= self._before(job_lifetime_ms),
                job.c.service == service,
                job.c.collect_at.is_(None),
            )
            .order_by(job.c.completed_at)
            .limit(bindparam("limit"))
        )
        stands = (job.c.job_id == bindparam("job"), job.c.collect_at == bindparam("since"))
        self._move_on = update(job).where(*stands).values(collect_at=bindparam("next_at"))
        self._put_off = update(job).where(*stands).values(collect_at=database.now)

    def collectable(self, limit: int) -> Sequence[Collectable]:
        """Find them, and name what each attempt may have stored."""
        with self._database.read() as connection:
            rows = connection.execute(self._due, {"limit": limit}).all()
            keys = claimed_keys(connection, [row.job_id for row in rows])
        items = []
        for row in rows:
            stays = row.document_key is not None and row.document_expires_at > row.as_of - self._grace_ms
            kept = {row.document_key} if stays else set()
            items.append(
                Collectable(
                    job_id=row.job_id,
                    keys=tuple(key for key in keys[row.job_id] if key not in kept),
                    since=row.collect_at,
                    next_at=row.document_expires_at if stays else None,
                )
            )
        return items

    def collected(self, item: Collectable) -> bool:
        """Compare and swap: an erasure begins collection anew."""
        with self._database.begin() as connection:
            changed = connection.execute(
                self._move_on, {"job": item.job_id, "since": item.since, "next_at": item.next_at}
            )
        return changed.rowcount == 1

    def refused(self, item: Collectable) -> None:
        """Put it off, likewise: what can't be deleted must not be the head of every batch."""
        with self._database.begin() as connection:
            connection.execute(self._put_off, {"job": item.job_id, "since": item.since})

    def purge(self, limit: int) -> int:
        """Delete rows that hold no object; audit and idempotency rows go with them."""
        with self._database.read() as connection:
            job_ids = connection.execute(self._old, {"limit": limit}).scalars().all()
        if not job_ids:
            return 0
        try:
            with self._database.begin() as connection:
                deleted = connection.execute(
                    delete(job).where(job.c.job_id.in_(job_ids), job.c.collect_at.is_(None))
                )
        except IntegrityError:
            raise ConfigurationError(
                "Jobs whose time is over can't be deleted: a foreign key of yours holds one. Give it ON "
                "DELETE CASCADE or SET NULL."
            ) from None
        return deleted.rowcount

    def _before(self, milliseconds: int) -> ScalarSelect[int]:
        return select(self._database.now - milliseconds).scalar_subquery()


def claimed_keys(connection: Connection, job_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Name, for each job, what its attempts may have stored: the audit knows each claim's token."""
    keys = defaultdict(list)
    claims = select(audit.c.job_id, audit.c.attempt, audit.c.lease_token).where(
        audit.c.job_id.in_(job_ids), audit.c.why == Transition.CLAIM
    )
    for row in connection.execute(claims.order_by(audit.c.audit_id)):
        keys[row.job_id].append(document_key(row.job_id, row.attempt, row.lease_token))
    return keys
