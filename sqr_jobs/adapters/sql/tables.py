"""The tables. Instants are BIGINT epoch milliseconds by the database's clock; ids compare byte for byte."""

from typing import Any

import sqlalchemy
from sqlalchemy import (
    BigInteger,
    Column,
    Computed,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from sqr_jobs.adapters.sql.strings import WidenableString as String

__all__ = ["audit", "idempotency", "identity", "job", "metadata"]

# PostgreSQL's own names, on every database: a later revision can then name what it changes.
metadata = MetaData(
    naming_convention={"pk": "%(table_name)s_pkey", "fk": "%(table_name)s_%(column_0_name)s_fkey"}
)
"""Our tables, as SQLAlchemy describes them.

A host's foreign key may point to `metadata.tables["sqr_jobs_job"].c.job_id`; no other name is promised.
"""

_STATE = String(16)


def _id(length: int, string: Any = String) -> Any:
    """Make a string type that no collation may fold: `us1`, `US1` and `US1 ` are three users."""
    return string(length).with_variant(string(length, collation="C"), "postgresql")


# MariaDB reads the first comment alone, MySQL the second: both collations compare bytes, blanks included.
_MYSQL = {
    "engine": "InnoDB",
    "row_format": "DYNAMIC",
    "charset": "utf8mb4",
    "collate": "/*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */",
}
_OPTIONS: dict[str, Any] = {
    f"{name}_{option}": value for name in ("mysql", "mariadb") for option, value in _MYSQL.items()
}

job = Table(
    "sqr_jobs_job",
    metadata,
    # Never widened, and of SQLAlchemy's own type: a host's column that refers to it takes its type over.
    Column("job_id", _id(36, sqlalchemy.String), primary_key=True),
    # Several services may share the tables: each sees, claims and counts its own jobs.
    Column("service", _id(64), nullable=False),
    Column("org_id", _id(255), nullable=False),
    Column("user_id", _id(255), nullable=False),
    Column("template", String(64), nullable=False),
    Column("template_version", String(32), nullable=False),
    Column("state", _STATE, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("crashes", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # When the ceiling counts it: its creation, or the moment of a rewind, see `rewind.py`.
    Column("accepted_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("available_at", BigInteger, nullable=False),
    Column("deadline_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger),
    # By how much a renewal extends it.
    Column("lease_ms", BigInteger),
    Column("lease_token", String(32)),
    Column("completed_at", BigInteger),
    Column("error_code", String(64)),
    Column("duration_ms", BigInteger),
    Column("document_key", String(255)),
    Column("document_size", BigInteger),
    Column("document_sha256", String(64)),
    Column("document_expires_at", BigInteger),
    Column("document_lifetime_ms", BigInteger, nullable=False),
    # Since when objects of it are to be deleted; NULL while it is active and once there are none.
    Column("collect_at", BigInteger),
    # 1 while the job is active, else NULL, and NULLs are never equal: one active job per service, org and
    # user, on every database.
    Column(
        "active_slot",
        Integer,
        Computed("CASE WHEN state IN ('QUEUED', 'RUNNING', 'RETRY_WAIT') THEN 1 END", persisted=True),
    ),
    UniqueConstraint("service", "org_id", "user_id", "active_slot", name="sqr_jobs_one_active_job"),
    Index("sqr_jobs_job_accepted", "service", "org_id", "accepted_at"),
    Index("sqr_jobs_job_due", "active_slot", "service", "available_at"),
    Index("sqr_jobs_job_to_collect", "collect_at"),
    Index("sqr_jobs_job_ended", "completed_at"),
    **_OPTIONS,
)

identity = Table(
    "sqr_jobs_identity",
    metadata,
    # One row: which database this is, so that web and workers can tell that they use the same.
    Column("identity", String(36), primary_key=True),
    # Where the tables stand, and the oldest revision whose library they serve; written by each revision.
    Column("revision", String(32), nullable=False),
    Column("serves_from", String(32), nullable=False),
    **_OPTIONS,
)

idempotency = Table(
    "sqr_jobs_idempotency",
    metadata,
    Column("service", _id(64), primary_key=True),
    Column("org_id", _id(255), primary_key=True),
    Column("key_hash", _id(64), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("token", String(32), nullable=False),
    # NULL while the request is being answered; then the record of its 202.
    Column("job_id", _id(36), ForeignKey("sqr_jobs_job.job_id", ondelete="CASCADE")),
    Column("lapses_at", BigInteger, nullable=False),
    Index("sqr_jobs_idempotency_lapsed", "lapses_at"),
    Index("sqr_jobs_idempotency_of_job", "job_id"),
    **_OPTIONS,
)

audit = Table(
    "sqr_jobs_audit",
    metadata,
    Column("audit_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("job_id", _id(36), ForeignKey("sqr_jobs_job.job_id", ondelete="CASCADE"), nullable=False),
    Column("from_state", _STATE),
    Column("to_state", _STATE, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("lease_token", String(32)),
    Column("at", BigInteger, nullable=False),
    Column("why", String(32), nullable=False),
    Column("error_code", String(64)),
    Column("cause", Text),
    # Of a claim, the worker process that made it; of a lost lease, the one that had it.
    Column("worker", String(255)),
    Index("sqr_jobs_audit_of_job", "job_id"),
    **_OPTIONS,
)
