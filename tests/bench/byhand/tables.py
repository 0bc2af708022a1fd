"""Jobs and their history in SQL, by SQLAlchemy Core."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
    text,
)

__all__ = ["history", "job", "make_engine", "metadata", "note"]

metadata = MetaData()
_ACTIVE = text("state IN ('QUEUED', 'RUNNING')")

job = Table(
    "by_hand_job",
    metadata,
    Column("job_id", String(36), primary_key=True),
    Column("org_id", String(255), nullable=False),
    Column("user_id", String(16), nullable=False),
    Column("template_version", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("completed_at", BigInteger),
    Column("error_code", String(64)),
    Column("document_key", String(255)),
    Column("size", BigInteger),
    Column("sha256", String(64)),
    Index(
        "by_hand_one_active", "org_id", "user_id", unique=True, postgresql_where=_ACTIVE, sqlite_where=_ACTIVE
    ),
    Index("by_hand_accepted", "org_id", "created_at"),
)

history = Table(
    "by_hand_history",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("job_id", String(36), nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
)


def make_engine(url: str, *, pre_ping: bool = True) -> Engine:
    """Make an engine; SQLite as one sets it up for several processes. `pre_ping` survives a restart."""
    engine = create_engine(url, pool_pre_ping=pre_ping and not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _prepare(connection: Any, _record: Any) -> None:
            connection.isolation_level = None
            for pragma in ("journal_mode=WAL", "synchronous=FULL"):
                connection.execute(f"PRAGMA {pragma}")

    return engine


def note(connection: Connection, job_id: str, state: str, at: int) -> None:
    """Write a line of a job's history, in the transaction of the change."""
    connection.execute(insert(history).values(job_id=job_id, state=state, at=at))
