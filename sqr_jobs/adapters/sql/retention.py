"""The job store as retention uses it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, or_, select, update

from sqr_jobs.adapters.sql.engine import Database
from sqr_jobs.adapters.sql.tables import audit, job
from sqr_jobs.domain.job import document_key
from sqr_jobs.domain.states import Transition
from sqr_jobs.domain.upkeep import Collectable

__all__ = ["ALL_GONE", "DOCUMENT_STAYS", "NOTHING_YET", "SqlJobRetention", "claimed_keys"]

NOTHING_YET, DOCUMENT_STAYS, ALL_GONE = 0, 1, 2
"""How far collection has come, as `sqr_jobs_job.collected` tells: what the attempts that lost had stored is
gone, then the document too."""


class SqlJobRetention:
    """`JobRetention` on SQLAlchemy Core.

    `grace_ms` is how long an object stays after its time: no attempt writes any more by then.
    """

    def __init__(self, database: Database, *, job_lifetime_ms: int, grace_ms: int = 3_600_000) -> None:
        self._database = database
        self._job_lifetime_ms = job_lifetime_ms
        self._grace_ms = grace_ms

    def collectable(self, limit: int) -> Sequence[Collectable]:
        """Find them by two ranges of one index."""
        before = self._database.now_as_bound - self._grace_ms
        ended = (job.c.collected == NOTHING_YET) & (job.c.completed_at <= before)
        expired = (job.c.collected == DOCUMENT_STAYS) & (job.c.document_expires_at <= before)
        columns = (job.c.job_id, job.c.collected, job.c.document_key, job.c.document_expires_at)
        found = (
            select(*columns, self._database.now.label("as_of"))
            .where(or_(ended, expired))
            .order_by(job.c.collection_refused_at.is_not(None), job.c.collection_refused_at)
            .limit(limit)
        )
        with self._database.read() as connection:
            rows = connection.execute(found).all()
            keys = claimed_keys(connection, [row.job_id for row in rows])
        items = []
        for row in rows:
            stays = row.document_key is not None and row.document_expires_at > row.as_of - self._grace_ms
            kept = {row.document_key} if stays else set()
            items.append(
                Collectable(
                    job_id=row.job_id,
                    keys=tuple(key for key in keys[row.job_id] if key not in kept),
                    seen=row.collected,
                    reached=DOCUMENT_STAYS if stays else ALL_GONE,
                )
            )
        return items

    def collected(self, item: Collectable) -> bool:
        """Compare and swap: an erasure begins collection anew."""
        with self._database.begin() as connection:
            changed = connection.execute(
                update(job)
                .where(job.c.job_id == item.job_id, job.c.collected == item.seen)
                .values(collected=item.reached)
            )
        return changed.rowcount == 1

    def refused(self, item: Collectable) -> None:
        """Note when."""
        with self._database.begin() as connection:
            connection.execute(
                update(job)
                .where(job.c.job_id == item.job_id, job.c.collected == item.seen)
                .values(collection_refused_at=self._database.now)
            )

    def purge(self, limit: int) -> int:
        """Delete rows that hold no object; audit and idempotency rows go with them."""
        before = self._database.now_as_bound - self._job_lifetime_ms
        old = (job.c.collected == ALL_GONE) & (job.c.completed_at <= before)
        with self._database.read() as connection:
            job_ids = connection.execute(select(job.c.job_id).where(old).limit(limit)).scalars().all()
        if not job_ids:
            return 0
        with self._database.begin() as connection:
            deleted = connection.execute(
                delete(job).where(job.c.job_id.in_(job_ids), job.c.collected == ALL_GONE)
            )
        return deleted.rowcount


def claimed_keys(connection: Connection, job_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Name, for each job, what its attempts may have stored: the audit knows each claim's token."""
    keys = defaultdict(list)
    claims = select(audit.c.job_id, audit.c.attempt, audit.c.lease_token).where(
        audit.c.job_id.in_(job_ids), audit.c.why == Transition.CLAIM
    )
    for row in connection.execute(claims.order_by(audit.c.audit_id)):
        keys[row.job_id].append(document_key(row.job_id, row.attempt, row.lease_token))
    return keys
