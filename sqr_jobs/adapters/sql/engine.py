"""Engines, transactions and the translation of what a driver raises."""

import math
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    ScalarSelect,
    bindparam,
    make_url,
    select,
)
from sqlalchemy import exc as sa_exc

from sqr_jobs.adapters.sql.after_commit import Awaiting, collecting
from sqr_jobs.adapters.sql.clock import epoch_ms
from sqr_jobs.adapters.sql.dialects import (
    dialect_named,
    dialect_of,
    is_fault_of_statement,
    lacks_tables,
    reason_of,
)
from sqr_jobs.adapters.sql.forking import ForkGate
from sqr_jobs.adapters.sql.sessions import connect_to_write, drop_useless_sessions
from sqr_jobs.errors import ConfigurationError, DatabaseUnavailable
from sqr_jobs.forks import mind_forks
from sqr_jobs.local_paths import absolute_database

__all__ = ["Database", "engine_for", "outages_translated", "translated"]


def engine_for(url: str, *, timeout_s: float, pool_size: int = 5) -> Engine:
    """Make an engine whose connections give up in time: connecting, waiting for a lock, each statement.

    Raises `ConfigurationError` for a URL or a driver that does not serve.
    """
    try:
        parsed = make_url(url)
        _ = (parsed.host or "").encode("idna")  # as sockets do, whose UnicodeError is no error of the driver
    except (sa_exc.ArgumentError, ValueError):
        raise ConfigurationError(
            "SQR_JOBS_DATABASE_URL is not a database URL. Set one such as "
            "postgresql+psycopg://user:password@host/name or sqlite:////var/lib/app/jobs.db."
        ) from None
    dialect = dialect_named(parsed.get_backend_name())
    if dialect is None:
        raise ConfigurationError(
            f"SQR_JOBS_DATABASE_URL names {parsed.get_backend_name()}. Use postgresql+psycopg://, "
            "mariadb+pymysql:// or sqlite:///."
        )
    if parsed.drivername not in dialect.drivers:
        raise ConfigurationError(
            f"SQR_JOBS_DATABASE_URL names the driver {parsed.drivername}. Use {dialect.url}."
        )
    chosen = parsed.set(drivername=dialect.drivers[parsed.drivername])
    return dialect.make_engine(chosen, timeout_s=timeout_s, pool_size=pool_size)


class Database:
    """Transactions on one engine, and its clock.

    `engine` is the host's or one of `engine_for`. Of a host's SQLite engine only the URL is used, because
    WAL and `BEGIN IMMEDIATE` are decided per connection. A relative file name in it starts from `folder`, by
    default the working folder. Any other pool of a host's is used as it is, in READ COMMITTED. A forked
    process gets its own connections, except from a host's pool, which is the host's to mind.
    `clock_offset_ms` moves the clock: tests never sleep.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        timeout_s: float = 5.0,
        clock_offset_ms: int = 0,
        is_host_engine: bool = False,
        folder: Path | None = None,
    ) -> None:
        _refuse_async(engine)
        self.dialect = dialect = dialect_of(engine)
        self.is_sqlite = engine.dialect.name == "sqlite"
        if not dialect.lends_pool:
            url = engine.url.set(database=absolute_database(engine.url.database or "", folder))
            own = engine_for(url.render_as_string(hide_password=False), timeout_s=timeout_s)
            weakref.finalize(self, own.dispose)  # Python 3.13 warns of connections that nobody closed
        else:
            # An own engine's connections have it from the start; an option is set again at each checkout.
            own = engine.execution_options(isolation_level="READ COMMITTED") if is_host_engine else engine
        self._is_own = not (dialect.lends_pool and is_host_engine)
        own = drop_useless_sessions(own, is_own=self._is_own)
        self.engine = own
        self._reading = own
        if dialect.reads_without_transaction and not is_host_engine:
            self._reading = own.execution_options(isolation_level="AUTOCOMMIT")
        self.clock_offset_ms = clock_offset_ms
        self.now: ColumnElement[int] = epoch_ms() + bindparam(
            "clock_offset_ms", callable_=lambda: self.clock_offset_ms, type_=BigInteger
        )
        """The present by the database's clock, in epoch milliseconds: one expression for all statements."""
        self._timeout_ms = math.ceil(timeout_s * 1000) if is_host_engine else None
        self._gate: ForkGate | None = None
        if self._is_own:
            self._gate = ForkGate(own, is_exclusive=self.is_sqlite, patience_s=timeout_s)
            mind_forks(self._gate)

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
        actions: list[Awaiting] = []
        try:
            with (
                translated(),
                self._gate.passed() if self._gate else nullcontext(),
                connect_to_write(self.engine) as connection,
            ):
                with (
                    connection.begin(),
                    self.dialect.writing(connection, self._timeout_ms),
                    collecting(connection, actions),
                ):
                    yield connection
                self.dialect.confirm(connection)
        except DatabaseUnavailable:
            for each in actions:
                each.in_doubt()
            raise
        for each in actions:
            each.action()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Run reads; each statement sees what was committed before it. Raises as `begin` does."""
        with (
            translated(),
            self._gate.passed() if self._gate else nullcontext(),
            self._reading.connect() as connection,
            self.dialect.reading(connection, self._timeout_ms),
        ):
            yield connection

    def close(self) -> None:
        """Close the pooled connections of an engine of our own; a pool that the host lends is the host's."""
        if self._is_own:
            self.engine.dispose()


_MISSING_TABLES = "The database lacks the tables of sqr-jobs, or has old ones. Run: sqr-jobs db upgrade"


@contextmanager
def translated() -> Iterator[None]:
    """Turn what SQLAlchemy raises into `DatabaseUnavailable`; statements and values stay out of its text."""
    try:
        yield
    except sa_exc.IntegrityError:
        raise
    except sa_exc.DBAPIError as error:
        if error.orig is not None and lacks_tables(error.orig):
            raise DatabaseUnavailable(_MISSING_TABLES) from None
        reason = reason_of(error.orig)
        raise DatabaseUnavailable(f"The database refused or did not answer ({reason}).") from None
    except (sa_exc.TimeoutError, sa_exc.InvalidRequestError) as error:
        raise DatabaseUnavailable(f"No database connection could be had ({type(error).__name__}).") from None
    except UnicodeError:
        raise DatabaseUnavailable(
            "The encoding of the database connection can't hold a text. Run: sqr-jobs check"
        ) from None


@contextmanager
def outages_translated() -> Iterator[None]:
    """Turn an outage of the database, which a host's own query met, into `DatabaseUnavailable`.

    A query that is wrong, or finds no row where it asked for one, is the host's fault, and goes through.
    """
    try:
        yield
    except sa_exc.TimeoutError as error:
        raise DatabaseUnavailable(f"No database connection could be had ({type(error).__name__}).") from None
    except (sa_exc.OperationalError, sa_exc.InterfaceError) as error:
        if error.orig is not None and is_fault_of_statement(error.orig):
            raise
        reason = reason_of(error.orig)
        raise DatabaseUnavailable(f"The database refused or did not answer ({reason}).") from None


def _refuse_async(engine: object) -> None:
    if isinstance(engine, Engine):
        return
    if type(engine).__name__ == "AsyncEngine":
        raise ConfigurationError(
            "An AsyncEngine can't be used here, because jobs are stored by plain threads. Pass a second, "
            "synchronous engine, or leave it out and set SQR_JOBS_DATABASE_URL to the same database "
            "(postgresql+psycopg://…)."
        )
    raise ConfigurationError(f"engine must be a sqlalchemy.Engine, not {type(engine).__name__}.")
