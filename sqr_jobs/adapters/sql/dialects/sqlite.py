"""SQLite: one file, one writer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from sqr_jobs.adapters.sql.dialects.dialect import Dialect
from sqr_jobs.adapters.sql.dialects.reasons import sqlite_reason
from sqr_jobs.adapters.sql.dialects.sqlite_file import confirm_file, watch_file
from sqr_jobs.errors import ConfigurationError
from sqr_jobs.local_paths import absolute_database

__all__ = ["Sqlite"]


class Sqlite(Dialect):
    """WAL mode with `synchronous=FULL`, so a commit that returned survives a power cut."""

    names = frozenset({"sqlite"})
    url = "sqlite:///"
    drivers = {"sqlite": "sqlite", "sqlite+pysqlite": "sqlite"}  # noqa: RUF012
    needed_rights = "This process must be able to write the file and its folder, on a volume with room."
    lends_pool = False  # WAL and BEGIN IMMEDIATE are decided per connection
    migrates_as_one = True

    def make_engine(self, url: URL, *, timeout_s: float, pool_size: int) -> Engine:  # noqa: ARG002
        """Make an engine on a file."""
        name = url.database or ":memory:"
        if name == ":memory:" or name.startswith("file::memory:") or url.query.get("mode") == "memory":
            raise ConfigurationError(
                "An in-memory SQLite database is seen by one connection only. Set SQR_JOBS_DATABASE_URL to "
                "a file: sqlite:////var/lib/app/jobs.db."
            )
        url = url.set(database=absolute_database(name))
        engine = create_engine(
            url, connect_args={"timeout": timeout_s}, pool_timeout=timeout_s, hide_parameters=True
        )

        @event.listens_for(engine, "connect")
        def _prepare(connection: Any, _record: Any) -> None:
            connection.isolation_level = None  # the driver must not begin on its own: see `writing`
            cursor = connection.cursor()
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        watch_file(engine)
        return engine

    def confirm(self, connection: Connection) -> None:
        """Look whether the file that it was committed to is still the one at its path."""
        confirm_file(connection.info)

    def ends_session(self, error: BaseException) -> bool:
        """Read it from the error's name: a connection opened while the file could only be read stays so."""
        name: str = getattr(error, "sqlite_errorname", "")
        return name.startswith(("SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTADB"))

    @contextmanager
    def reading(self, connection: Connection, timeout_ms: int | None) -> Iterator[None]:  # noqa: ARG002
        """Do nothing: every connection is our own."""
        yield

    @contextmanager
    def writing(self, connection: Connection, timeout_ms: int | None) -> Iterator[None]:  # noqa: ARG002
        """Begin at once: a deferred transaction that reads first fails when another one writes."""
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield

    def lock_org(self, connection: Connection, service: str, org_id: str) -> bool:  # noqa: ARG002
        """Do nothing: BEGIN IMMEDIATE is the lock."""
        return True

    def enter(self, connection: Connection) -> None:
        """Begin where the driver has not: it does not for a SAVEPOINT, whose release would then commit."""
        driver: Any = connection.connection.dbapi_connection
        if not driver.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    def lacks_tables(self, error: BaseException) -> bool:
        """Read it from the text."""
        return "no such " in str(error)

    def is_fault_of_statement(self, error: BaseException) -> bool:
        """Read it from the text: whatever does not tell of the file or its lock."""
        is_its_own = type(error).__module__ == "sqlite3"
        return is_its_own and not any(
            word in str(error) for word in ("locked", "busy", "unable", "I/O", "full")
        )

    def reason(self, error: BaseException) -> str | None:
        """Read it from the result code."""
        return sqlite_reason(error) if type(error).__module__ == "sqlite3" else None

    def address(self, url: URL) -> str:
        """Name the file."""
        return url.database or "a file without a name"

    @contextmanager
    def migrating(self, connection: Connection) -> Iterator[None]:
        """Run it all in one transaction: a migration that fails leaves nothing, and a second one waits."""
        self.enter(connection)
        yield
