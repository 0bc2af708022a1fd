"""Engines, transactions and the translation of what a driver raises."""

import math
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    URL,
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    ScalarSelect,
    bindparam,
    create_engine,
    event,
    make_url,
    select,
    text,
)
from sqlalchemy import exc as sa_exc

from sqr_jobs.adapters.sql.after_commit import collecting
from sqr_jobs.adapters.sql.clock import epoch_ms
from sqr_jobs.errors import ConfigurationError, DatabaseUnavailable

__all__ = ["Database", "engine_for", "translated"]

_DIALECTS = ("postgresql", "sqlite")
_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
}


def engine_for(url: str, *, timeout_s: float, pool_size: int = 5) -> Engine:
    """Make an engine whose connections give up in time: connecting, waiting for a lock, each statement.

    SQLite runs in WAL mode with `synchronous=FULL`, so a commit that returned survives a power cut.
    Raises `ConfigurationError` for a URL or a driver that does not serve.
    """
    try:
        parsed = make_url(url)
    except (sa_exc.ArgumentError, ValueError):
        raise ConfigurationError(
            "SQR_JOBS_DATABASE_URL is not a database URL. Set one such as "
            "postgresql+psycopg://user:password@host/name or sqlite:////var/lib/app/jobs.db."
        ) from None
    backend = parsed.get_backend_name()
    if backend not in _DIALECTS:
        raise ConfigurationError(
            f"SQR_JOBS_DATABASE_URL names {backend}. Use postgresql+psycopg:// or sqlite:///."
        )
    if parsed.drivername not in _DRIVERS:
        raise ConfigurationError(
            f"SQR_JOBS_DATABASE_URL names the driver {parsed.drivername}. Use {_DRIVERS[backend]}://."
        )
    parsed = parsed.set(drivername=_DRIVERS[parsed.drivername])
    if backend == "sqlite":
        return _sqlite_engine(parsed, timeout_s)
    timeout_ms = math.ceil(timeout_s * 1000)
    try:
        engine = create_engine(
            parsed,
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
                f" -c idle_in_transaction_session_timeout={2 * timeout_ms} {parsed.query.get('options', '')}",
            },
        )
    except ModuleNotFoundError:
        raise ConfigurationError(
            "The PostgreSQL driver is missing. Install it: pip install 'sqr-jobs[postgres]'."
        ) from None
    from sqr_jobs.adapters.sql.patience import bound_waits  # noqa: PLC0415 - psycopg is an extra

    bound_waits(engine, timeout_s + 1)
    return engine


def _sqlite_engine(url: URL, timeout_s: float) -> Engine:
    name = url.database or ":memory:"
    if name == ":memory:" or name.startswith("file::memory:") or url.query.get("mode") == "memory":
        raise ConfigurationError(
            "An in-memory SQLite database is seen by one connection only. Set SQR_JOBS_DATABASE_URL to a "
            "file: sqlite:////var/lib/app/jobs.db."
        )
    engine = create_engine(
        url, connect_args={"timeout": timeout_s}, pool_timeout=timeout_s, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin on its own: see Database.begin
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


class Database:
    """Transactions on one engine, and its clock.

    `engine` is the host's or one of `engine_for`. Of a host's SQLite engine only the URL is used, because
    WAL and `BEGIN IMMEDIATE` are decided per connection; a host's PostgreSQL pool is used as it is, in
    READ COMMITTED. `clock_offset_ms` moves the clock: tests never sleep.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        timeout_s: float = 5.0,
        clock_offset_ms: int = 0,
        is_host_engine: bool = False,
    ) -> None:
        _refuse_async(engine)
        if engine.dialect.name not in _DIALECTS:
            raise ConfigurationError(
                f"The engine speaks {engine.dialect.name}. Pass one for PostgreSQL or SQLite, or set "
                "SQR_JOBS_DATABASE_URL."
            )
        self.is_sqlite = engine.dialect.name == "sqlite"
        if self.is_sqlite:
            own = engine_for(engine.url.render_as_string(hide_password=False), timeout_s=timeout_s)
            weakref.finalize(self, own.dispose)  # Python 3.13 warns of connections that nobody closed
        else:
            # Of an own engine every connection is so from the start; an option is set anew at each checkout.
            own = engine.execution_options(isolation_level="READ COMMITTED") if is_host_engine else engine
        self.engine = own
        self._reading = own
        if not (self.is_sqlite or is_host_engine):  # without BEGIN and ROLLBACK, each a message of its own
            self._reading = own.execution_options(isolation_level="AUTOCOMMIT")
        self.clock_offset_ms = clock_offset_ms
        self.now: ColumnElement[int] = epoch_ms() + bindparam(
            "clock_offset_ms", callable_=lambda: self.clock_offset_ms, type_=BigInteger
        )
        """The present by the database's clock, in epoch milliseconds: one expression for all statements."""
        self._timeout_ms = math.ceil(timeout_s * 1000)
        self._is_host_engine = is_host_engine
        self._sets_timeout = not self.is_sqlite and is_host_engine

    @property
    def now_as_bound(self) -> ScalarSelect[int]:
        """The present, read once per statement, so that an index can be searched by it.

        PostgreSQL asks its clock anew for each row otherwise, and reads every row for it.
        """
        return select(self.now).scalar_subquery()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Run one transaction that writes.

        Raises `DatabaseUnavailable` for whatever the driver raises when the database can't be reached, is
        too slow, or has no tables.
        """
        with translated(), self.engine.connect() as connection, connection.begin():
            if self.is_sqlite:
                # A deferred transaction that reads first fails at once when another one writes.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            elif self._sets_timeout:
                connection.execute(_SET_TIMEOUT, {"ms": str(self._timeout_ms)})
            with collecting(connection) as actions:
                yield connection
        for action in actions:
            action()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Run reads; each statement sees what was committed before it. Raises as `begin` does."""
        with translated(), self._reading.connect() as connection:
            if self._sets_timeout:
                connection.execute(_SET_TIMEOUT, {"ms": str(self._timeout_ms)})
            yield connection

    def close(self) -> None:
        """Close the pooled connections of an engine of our own; a host's PostgreSQL pool is the host's."""
        if self.is_sqlite or not self._is_host_engine:
            self.engine.dispose()


_SET_TIMEOUT = text("SELECT set_config('statement_timeout', :ms, true)")

_MISSING_TABLES = "The database lacks the tables of sqr-jobs, or has old ones. Run: sqr-jobs db upgrade"


@contextmanager
def translated() -> Iterator[None]:
    """Turn what SQLAlchemy raises into `DatabaseUnavailable`; statements and values stay out of its text."""
    try:
        yield
    except sa_exc.IntegrityError:
        raise
    except sa_exc.DBAPIError as error:
        reason = type(error.orig).__name__
        if reason in ("UndefinedTable", "UndefinedColumn") or "no such " in str(error.orig):
            raise DatabaseUnavailable(_MISSING_TABLES) from None
        raise DatabaseUnavailable(f"The database refused or did not answer ({reason}).") from None
    except (sa_exc.TimeoutError, sa_exc.InvalidRequestError) as error:
        raise DatabaseUnavailable(f"No database connection could be had ({type(error).__name__}).") from None


def _refuse_async(engine: object) -> None:
    if isinstance(engine, Engine):
        return
    if type(engine).__name__ == "AsyncEngine":
        raise ConfigurationError(
            "An AsyncEngine can't be used here, because jobs are stored by plain threads. Set "
            "SQR_JOBS_DATABASE_URL to the same database (postgresql+psycopg://…), or pass a second, "
            "synchronous engine."
        )
    raise ConfigurationError(f"engine must be a sqlalchemy.Engine, not {type(engine).__name__}.")
