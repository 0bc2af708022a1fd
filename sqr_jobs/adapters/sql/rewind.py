"""Rows from the future, after the database's clock was set back: they count as of now.

What was written before the clock was set back lies in the future until the clock is there again. Nothing that
is compared with the present may wait for that. Each instant is moved together with the one it is based on:

| instant | based on | so that |
| --- | --- | --- |
| `accepted_at` | the creation | the job leaves its org's window in time |
| `deadline_at` | `accepted_at` | no job has more time left than it was given |
| `available_at` | `updated_at` | no job waits longer than its delay |
| `lease_until` | the renewal, `lease_ms` before | a dead worker's job is taken within a lease |
| `completed_at` | the end | the row is deleted in time |
| `document_expires_at`, `collect_at` | `completed_at` | the document expires and is deleted in time |
| `lapses_at` | the reservation, or its 202 | an idempotency key is free in time |

`created_at` and the history stay: they say what the clock said then.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, Select, bindparam, func, select, tuple_, update

from sqr_jobs.adapters.sql.engine import Database
from sqr_jobs.adapters.sql.idempotency import RECORDED_MS, RESERVED_MS
from sqr_jobs.adapters.sql.tables import idempotency, job

__all__ = ["Rewind"]

_SLACK_MS = 1_000
"""A clock that is kept in step is corrected by less, and the servers of a cluster differ by less."""
_INSTANTS = (
    job.c.accepted_at,
    job.c.updated_at,
    job.c.available_at,
    job.c.deadline_at,
    job.c.lease_until,
    job.c.lease_ms,
    job.c.completed_at,
    job.c.document_expires_at,
    job.c.collect_at,
)
_KEY = (idempotency.c.service, idempotency.c.org_id, idempotency.c.key_hash)


class Rewind:
    """Moves the instants of jobs and idempotency keys, of every service; each question has an index."""

    def __init__(self, database: Database) -> None:
        self._database = database
        soon = database.now_as_bound + _SLACK_MS
        jobs = select(job.c.job_id).limit(bindparam("limit"))
        self._jobs: list[Select[Any]] = [
            jobs.where(
                job.c.active_slot == 1,
                (job.c.updated_at > soon)
                | (job.c.accepted_at > soon)
                | (job.c.lease_until > soon + func.coalesce(job.c.lease_ms, 0)),
            ),
            jobs.where(job.c.completed_at > soon),
        ]
        self._one = (
            select(*_INSTANTS, database.now.label("now"))
            .where(job.c.job_id == bindparam("job"))
            .with_for_update(skip_locked=True)
        )
        keys = select(*_KEY).limit(bindparam("limit"))
        reserved = idempotency.c.job_id.is_(None)
        self._keys = [
            (kept_ms, condition, keys.where(condition))
            for kept_ms, condition in (
                (RESERVED_MS, reserved & (idempotency.c.lapses_at > soon + RESERVED_MS)),
                (RECORDED_MS, idempotency.c.lapses_at > soon + RECORDED_MS),
            )
        ]

    def jobs(self, limit: int) -> int:
        """Rewind jobs; the number changed. A row that somebody locks is left to the next round."""
        with self._database.read() as connection:
            found = [connection.execute(question, {"limit": limit}).scalars() for question in self._jobs]
            job_ids = [job_id for each in found for job_id in each]
        return sum(self._rewind(job_id) for job_id in job_ids)

    def keys(self, limit: int) -> int:
        """Rewind idempotency keys; the number changed."""
        changed = 0
        for kept_ms, condition, question in self._keys:
            with self._database.read() as connection:
                found = [tuple(row) for row in connection.execute(question, {"limit": limit})]
            if not found:
                continue
            with self._database.begin() as connection:
                rewound = update(idempotency).where(tuple_(*_KEY).in_(found), condition)
                changed += connection.execute(rewound.values(lapses_at=self._database.now + kept_ms)).rowcount
        return changed

    def _rewind(self, job_id: str) -> int:
        with self._database.begin() as connection:
            row = connection.execute(self._one, {"job": job_id}).one_or_none()
            values = _rewound(row) if row is not None else {}
            if values:
                connection.execute(update(job).where(job.c.job_id == job_id).values(**values))
        return 1 if values else 0


def _rewound(row: Row[Any]) -> Mapping[str, int]:
    """Compute the instants of one row that change."""
    moved: dict[str, int] = {}

    def move(base: str, *others: str) -> None:
        ahead_ms = (getattr(row, base) or 0) - row.now
        if ahead_ms > 0:
            moved.update({base: row.now})
            moved.update({name: getattr(row, name) - ahead_ms for name in others if getattr(row, name)})

    move("accepted_at", "deadline_at")
    move("updated_at", "available_at")
    move("completed_at", "document_expires_at", "collect_at")
    if row.lease_until is not None and row.lease_ms is not None:
        longest = min(row.now + row.lease_ms, moved.get("deadline_at", row.deadline_at))
        if row.lease_until > longest:
            moved["lease_until"] = longest
    return moved
