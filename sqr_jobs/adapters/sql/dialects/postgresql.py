"""PostgreSQL by psycopg 3."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from sqr_jobs.adapters.sql.dialects.dialect import Dialect, needing_driver
from sqr_jobs.adapters.sql.dialects.reasons import postgresql_reason
from sqr_jobs.adapters.sql.dialects.turns import await_turn, unbound
from sqr_jobs.errors import ConfigurationError

__all__ = ["PostgreSql"]

_SET_TIMEOUTS = text(
    "SELECT set_config('statement_timeout', :ms, true), set_config('lock_timeout', :ms, true),"
    " set_config('idle_in_transaction_session_timeout', :twice, true)"
)
_SCHEMA = text(
    "SELECT current_schema() AS name, has_schema_privilege(current_schema(), 'CREATE') AS takes_tables"
)
_USELESS_SESSION = frozenset(
    {
        "0A000",  # a cached plan whose result has changed its type
        "25006",  # read-only: the session's default, or a primary that became a standby
        "26000",  # a prepared statement is gone: a pooler gave us another session
        "42P05",  # a prepared statement is there already: likewise
        "57P01",  # shut down by an operator
        "57P02",  # crashed
        "57P03",  # starting up, or shutting down
        "57P04",  # the database was dropped
        "57P05",  # idle for too long
    }
)
_CONNECTION_EXCEPTIONS = "08"
_TAKE_TURN = text("SELECT pg_try_advisory_xact_lock(7305, 1)")
_LOCK_ORG = text("SELECT pg_advisory_xact_lock(hashtextextended(:org, hashtextextended(:service, 7305)))")


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
                    "client_encoding": "utf8",  # of an SQL_ASCII server psycopg returns bytes otherwise
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

    def lock_org(self, connection: Connection, service: str, org_id: str) -> bool:
        """Take an advisory lock of the transaction."""
        connection.execute(_LOCK_ORG, {"service": service, "org": org_id})
        return True

    def insert_unless_present(self, connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
        """Say so in the statement: the server logs a conflict, with the key in it, as an error else."""
        absent = insert(table).values(**values).on_conflict_do_nothing()
        return connection.execute(absent.returning(*table.primary_key)).first() is not None

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

    def check_server(self, connection: Connection) -> None:
        """Refuse an encoding that can't hold every text."""
        encoding = connection.scalar(text("SHOW server_encoding"))
        if encoding != "UTF8":
            raise ConfigurationError(
                f"the database has the encoding {encoding}, which can't hold all text. Create one with "
                "ENCODING 'UTF8' TEMPLATE template0, and move the tables with pg_dump --encoding=UTF8"
            )

    def ends_session(self, error: BaseException) -> bool:
        """Read it from the SQLSTATE, which psycopg and psycopg2 name differently."""
        state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""
        return state in _USELESS_SESSION or state.startswith(_CONNECTION_EXCEPTIONS)

    def is_read_only(self, connection: Connection) -> bool:
        """Read what PostgreSQL 14 and later report to the client at the session's start."""
        info = getattr(connection.connection.driver_connection, "info", None)
        told = getattr(info, "parameter_status", lambda _name: None)
        return "on" in (told("default_transaction_read_only"), told("in_hot_standby"))

    @contextmanager
    def migrating(self, connection: Connection) -> Iterator[None]:
        """Let the client wait for an index as long as it takes; each transaction takes its turn."""
        # Or the transaction would not see what the one before it, for which it waited, has committed.
        connection.execution_options(isolation_level="READ COMMITTED")
        try:
            with unbound(connection, "patience_s"):
                yield
        except BaseException:
            with suppress(SQLAlchemyError):  # if the connection broke, that is not what went wrong first
                connection.rollback()
            raise

    def take_turn(self, connection: Connection) -> None:
        """Take lock and time for this transaction alone: behind a pooler, others use the session too."""
        await_turn(lambda: bool(connection.scalar(_TAKE_TURN)))
        connection.execute(text("SELECT set_config('statement_timeout', '0', true)"))
