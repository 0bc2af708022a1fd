"""What a database has to bring with it to hold jobs."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

from sqlalchemy import URL, Connection, Engine, Table, insert
from sqlalchemy.exc import IntegrityError

from sqr_jobs.errors import ConfigurationError

__all__ = ["Dialect", "dotted", "needing_driver"]


class Dialect(ABC):
    """One kind of database; stateless, so one object serves all engines."""

    names: ClassVar[frozenset[str]]
    """What SQLAlchemy calls it."""
    url: ClassVar[str]
    """How a URL of it begins, for a message."""
    drivers: ClassVar[Mapping[str, str]]
    """What a URL may name, and what is then used."""
    port: ClassVar[int] = 0
    """The port of a URL that names none."""
    needed_rights: ClassVar[str]
    """What to allow where jobs can't be stored, for a message."""
    lends_pool: ClassVar[bool] = True
    """Whether a host's pool is used as it is; else only its URL."""
    reads_without_transaction: ClassVar[bool] = False
    """Whether AUTOCOMMIT saves messages to the server."""
    migrates_as_one: ClassVar[bool] = False
    """Whether a whole migration is one transaction, begun before anything is looked at."""
    commits_each_step: ClassVar[bool] = False
    """Whether each statement that changes a table commits, so that a migration can fail midway."""

    @abstractmethod
    def make_engine(self, url: URL, *, timeout_s: float, pool_size: int) -> Engine:
        """Make an engine none of whose connections waits for ever. Raises `ConfigurationError`."""

    @abstractmethod
    def reading(self, connection: Connection, timeout_ms: int | None) -> AbstractContextManager[None]:
        """Bound the statements of a host's connection; None for one of our own, which is bound already."""

    def writing(self, connection: Connection, timeout_ms: int | None) -> AbstractContextManager[None]:
        """Do what a transaction that writes begins with, and bound it likewise."""
        return self.reading(connection, timeout_ms)

    @abstractmethod
    def lock_org(self, connection: Connection, service: str, org_id: str) -> bool:
        """Let one transaction at a time create jobs of an org in a service.

        The lock ends with the transaction.

        False where there is nothing yet to lock: leave the transaction, call `add_org`, and begin again.
        """

    def add_org(self, connection: Connection, service: str, org_id: str) -> None:  # noqa: B027 - most need nothing
        """Make what `lock_org` locks, in a transaction that does nothing else."""

    def insert_unless_present(self, connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
        """Insert a row; False where one with the same primary key is there, which then stays as it is."""
        try:
            with connection.begin_nested():
                connection.execute(insert(table).values(**values))
        except IntegrityError:
            return False
        return True

    def enter(self, connection: Connection) -> None:
        """Enter a host's transaction. Raises `ConfigurationError` where its count could be of the past."""
        if connection.get_isolation_level() != "READ COMMITTED":
            raise ConfigurationError(
                "reports.create(connection=…) needs a transaction in READ COMMITTED: a stricter one "
                "can't see what other requests of the organisation have just created. Use a connection with "
                'execution_options(isolation_level="READ COMMITTED").'
            )

    @abstractmethod
    def lacks_tables(self, error: BaseException) -> bool:
        """Whether its driver says that a table or a column is not there."""

    def is_fault_of_statement(self, error: BaseException) -> bool:
        """Whether what its driver calls operational tells of a wrong statement, and of no outage."""
        return self.lacks_tables(error)

    @abstractmethod
    def reason(self, error: BaseException) -> str | None:
        """Say why its driver failed, for logs: no address, user, password or value. None where unknown."""

    def address(self, url: URL) -> str:
        """Name host, port and database of a URL for an operator, and nothing else of it."""
        hosts = url.host or url.query.get("host") or "localhost"
        host = hosts if isinstance(hosts, str) else ",".join(hosts)
        if "@" in host:  # a password with an @ was cut in two
            return "an address that can't be read: write special characters of the password as %-escapes"
        return f"{host}:{url.port or self.port}/{url.database or ''}"

    def ends_session(self, error: BaseException) -> bool:  # noqa: ARG002 - most have sessions
        """Whether the session that met this error can't serve the next request either."""
        return False

    def is_read_only(self, connection: Connection) -> bool:  # noqa: ARG002 - most don't say
        """Whether the server has said, unasked, that this session's transactions can't write."""
        return False

    def confirm(self, connection: Connection) -> None:  # noqa: B027 - most need nothing
        """Confirm that what was just committed is in the database. Raises `DatabaseUnavailable`."""

    def told(self, connection: Connection) -> str:
        """Name the server and its version, for an operator."""
        version = connection.dialect.server_version_info or ()
        return f"{connection.dialect.name} {dotted(version)}"

    def check_server(self, connection: Connection) -> None:  # noqa: B027 - most have nothing to look for
        """Look for what keeps the server from holding our tables. Raises `ConfigurationError`."""

    def check(self, connection: Connection) -> None:
        """Look for what is wrong with the server or the tables. Raises `ConfigurationError`."""
        self.check_server(connection)

    def creation_fault(self, connection: Connection) -> str | None:  # noqa: ARG002 - most can't ask
        """Say what keeps this user from creating tables, and what to do about it; None where unknown."""
        return None

    @abstractmethod
    def migrating(self, connection: Connection) -> AbstractContextManager[None]:
        """Let a migration take as long as it takes; let one run at a time, unless `take_turn` does."""

    def take_turn(self, connection: Connection) -> None:  # noqa: B027 - a transaction can't own it everywhere
        """Wait, at the start of a migration's transaction, for others. Raises `ConfigurationError`."""


def dotted(version: tuple[Any, ...]) -> str:
    """Write a version as people do."""
    return ".".join(str(part) for part in version)


@contextmanager
def needing_driver(name: str, *, extra: str) -> Iterator[None]:
    """Name the extra that brings a driver which is missing."""
    try:
        yield
    except ModuleNotFoundError:
        raise ConfigurationError(
            f"The {name} driver is missing. Install it: pip install 'sqr-jobs[{extra}]'."
        ) from None
