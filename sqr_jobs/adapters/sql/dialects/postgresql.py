"""PostgreSQL by psycopg 3."""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import URL, Connection, Engine, create_engine, text

from sqr_jobs.adapters.sql.dialects.dialect import Dialect, needing_driver
from sqr_jobs.adapters.sql.dialects.reasons import postgresql_reason
from sqr_jobs.adapters.sql.dialects.turns import turn

__all__ = ["PostgreSql"]

_SET_TIMEOUTS = text(
    "SELECT set_config('statement_timeout', :ms, true), set_config('lock_timeout', :ms, true),"
    " set_config('idle_in_transaction_session_timeout', :twice, true)"
)
_SCHEMA = text(
    "SELECT current_schema() AS name, has_schema_privilege(current_schema(), 'CREATE') AS takes_tables"
)
_LOCK_ORG = text("SELECT pg_advisory_xact_lock(hashtextextended(:org, 7305))")


class PostgreSql(Dialect):
    """READ COMMITTED; the org's lock is an advisory one."""

    names = frozenset({"postgresql"})
    url = "postgresql+psycopg://"
    drivers = {"postgresql": "postgresql+psycopg", "postgresql+psycopg": "postgresql+psycopg"}  # noqa: RUF012
    port = 5432
    needed_rights = (
        "Its role needs SELECT, INSERT, UPDATE and DELETE on the tables sqr_jobs_*, USAGE on the sequence "
        "sqr_jobs_audit_audit_id_seq, and sessions that may write: docs/howto/postgresql.md."
    )
    reads_without_transaction = True  # BEGIN and ROLLBACK are a message each

    def make_engine(self, url: URL, *, timeout_s: float, pool_size: int) -> Engine:
        """Make an engine with every timeout of the server and of the client."""
        timeout_ms = math.ceil(timeout_s * 1000)
        with needing_driver("PostgreSQL", extra="postgres"):
            engine = create_engine(
                url,
                pool_size=pool_size,
                pool_pre_ping=True,
                isolation_level="READ COMMITTED",
                pool_timeout=timeout_s,
                hide_parameters=True,  # they hold ids and the causes of failures
                connect_args={
                    "connect_timeout": math.ceil(timeout_s),
                    "keepalives_idle": 10,
                    "keepalives_interval": 5,
                    "keepalives_count": 3,
                    "tcp_user_timeout": timeout_ms + 1_000,
                    # What the URL says comes last, and wins.
                    "options": f"-c statement_timeout={timeout_ms} -c lock_timeout={timeout_ms}"
                    f" -c idle_in_transaction_session_timeout={2 * timeout_ms} "
                    f"{url.query.get('options', '')}",
                },
            )
        from sqr_jobs.adapters.sql.patience import bound_waits  # noqa: PLC0415 - psycopg is an extra

        bound_waits(engine, timeout_s + 1)
        return engine

    @contextmanager
    def reading(self, connection: Connection, timeout_ms: int | None) -> Iterator[None]:
        """Set the timeouts for this transaction, and for the time between its statements: it holds locks."""
        if timeout_ms is not None:
            connection.execute(_SET_TIMEOUTS, {"ms": str(timeout_ms), "twice": str(2 * timeout_ms)})
        yield

    def lock_org(self, connection: Connection, org_id: str) -> bool:
        """Take an advisory lock of the transaction."""
        connection.execute(_LOCK_ORG, {"org": org_id})
        return True

    def lacks_tables(self, error: BaseException) -> bool:
        """Read it from the class."""
        return type(error).__name__ in ("UndefinedTable", "UndefinedColumn")

    def reason(self, error: BaseException) -> str | None:
        """Read it from the SQLSTATE or libpq's text."""
        return postgresql_reason(error) if type(error).__module__.startswith("psycopg") else None

    def creation_fault(self, connection: Connection) -> str | None:
        """Ask for the right on the schema that new tables go to."""
        schema = connection.execute(_SCHEMA).one()
        if schema.name is None:
            return "no schema of the role's search_path exists. Create one, or set search_path to one"
        if schema.takes_tables:
            return None
        return (
            f"the role may not create tables in schema {schema.name}. As its owner, run: GRANT CREATE ON "
            f"SCHEMA {schema.name} TO the role; or migrate as another role: docs/howto/postgresql.md"
        )

    def migrating(self, connection: Connection) -> AbstractContextManager[None]:
        """Take a lock of the session, and no timeout: an index takes its time."""

        def take() -> bool:
            if not connection.scalar(text("SELECT pg_try_advisory_lock(7305, 1)")):
                return False
            connection.execute(text("SELECT set_config('statement_timeout', '0', false)"))
            return True

        def give() -> None:
            connection.execute(text("SELECT pg_advisory_unlock(7305, 1)"))
            connection.execute(text("RESET statement_timeout"))

        return turn(connection, take, give, bound="patience_s")
