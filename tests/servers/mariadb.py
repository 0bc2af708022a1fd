"""A real MariaDB: its locks, collations and commits are what no other database would show."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Any, Self

import pymysql
from sqlalchemy import URL, make_url

from tests.servers.launch import run_as
from tests.servers.ports import free_port
from tests.servers.process import RunningServer, ServerIsExternal, ServerProcess

__all__ = ["MariadbServer"]

_VARIABLE = "SQR_JOBS_TEST_MARIADB_URL"
_PREFIX = "sqr_jobs_test_"
_USER = "reports"
_SETTINGS = {
    "bind-address": "127.0.0.1",
    "max-connections": "300",
    "skip-name-resolve": "1",
    # At each commit to the kernel, which a killed process cannot lose; only a machine's crash could.
    "innodb-flush-log-at-trx-commit": "2",
    "innodb-flush-method": "nosync",
    "innodb-buffer-pool-size": "64M",
    "innodb-log-file-size": "32M",
    "performance-schema": "0",
    # What the library must not lean on: a server may be set up like this.
    "character-set-server": "latin1",
    "collation-server": "latin1_swedish_ci",
    "sql-mode": "",
    "default-time-zone": "+05:45",
    "innodb-lock-wait-timeout": "600",
    "innodb-default-row-format": "compact",
}


class MariadbServer(RunningServer):
    """A MariaDB server of our own, if the program is installed, or an external one by its URL.

    Its user may do anything in databases of the tests, and nothing else.
    """

    def __init__(self, *, external_url: str | None = None) -> None:
        self._url = URL.create("mariadb") if external_url is None else make_url(external_url)
        self._external = external_url is not None
        self._process: ServerProcess | None = None

    @classmethod
    def from_environment(cls) -> Self:
        """Return the server that SQR_JOBS_TEST_MARIADB_URL names, or one of our own."""
        return cls(external_url=os.environ.get(_VARIABLE))

    def start(self) -> None:
        """Start the server and return when it answers; leave one that answers alone.

        Raises:
            FileNotFoundError: MariaDB isn't installed; the message says how to.
            ServerDidNotStart: our own server failed to.
            pymysql.Error: the external server doesn't answer.

        """
        if self._external:
            self._connect().close()
            return
        self._own_process().start(answers=self._answers)

    def kill(self) -> None:
        """Kill the server with SIGKILL; what was committed is there after the next start."""
        self._own_process().kill()

    def close(self) -> None:
        """Stop our own server and delete its data; leave an external one alone."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def create_database(self) -> str:
        """Create an empty database with a random name and return its SQLAlchemy URL, password included."""
        name = _PREFIX + secrets.token_hex(8)
        self._execute(f"CREATE DATABASE {name}")
        url = self._url.set(drivername="mysql+pymysql", database=name)
        return url.render_as_string(hide_password=False)

    def drop_database(self, url: str) -> None:
        """Drop a database that `create_database` made, and cut the connections left open to it.

        Raises:
            ValueError: the name isn't one that `create_database` gives.

        """
        name = make_url(url).database or ""
        if not name.startswith(_PREFIX):
            raise ValueError(f"Database {name!r} wasn't made by create_database(): it is left alone.")
        for (number,) in self._execute(f"SELECT id FROM information_schema.processlist WHERE db = '{name}'"):
            with contextlib.suppress(pymysql.OperationalError):  # gone meanwhile
                self._execute(f"KILL CONNECTION {number}")
        self._execute(f"DROP DATABASE {name}")

    def _execute(self, statement: str) -> tuple[tuple[Any, ...], ...]:
        with self._connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return tuple(cursor.fetchall())

    def _own_process(self) -> ServerProcess:
        if self._external:
            raise ServerIsExternal(_VARIABLE)
        if self._process is None:
            self._process = self._install()
        return self._process

    def _install(self) -> ServerProcess:
        """Make a data directory, and choose the port and password it keeps."""
        server, install = _programs()
        port, password = free_port(), secrets.token_urlsafe(16) + "/@;%"
        self._url = URL.create("mariadb", _USER, password, "127.0.0.1", port)
        folder = Path(tempfile.mkdtemp(prefix="sqr-jobs-mariadb-"))
        try:
            account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
            start = folder / "start.sql"
            start.write_text(
                f"CREATE USER IF NOT EXISTS {_USER}@'127.0.0.1' IDENTIFIED BY '{password}';\n"
                f"GRANT ALL ON `{_PREFIX.replace('_', chr(92) + '_')}%`.* TO {_USER}@'127.0.0.1';\n"
            )
            if account is not None:
                for path in (folder, start):
                    os.chown(path, account.pw_uid, account.pw_gid)
            data = folder / "data"
            run_as(
                account,
                [install, "--no-defaults", f"--datadir={data}", "--skip-test-db", "--skip-name-resolve"],
                folder=folder,
            )
        except BaseException:
            shutil.rmtree(folder)
            raise
        places = [
            f"--datadir={data}",
            f"--tmpdir={folder}",  # a server that starts clears the one that it shares of others' tables
            f"--socket={folder}/socket",
            f"--pid-file={folder}/pid",
            f"--port={port}",
            f"--init-file={start}",
        ]
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        return ServerProcess([server, "--no-defaults", *places, *settings], folder=folder, account=account)

    def _connect(self) -> Any:
        return pymysql.connect(
            host=self._url.host,
            port=self._url.port or 3306,
            user=self._url.username,
            password=self._url.password or "",
            connect_timeout=5,
            autocommit=True,
        )

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except pymysql.Error:
            return False
        return True


def _programs() -> tuple[str, str]:
    """Return the paths of the server and of what makes its data directory."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
    server, install = shutil.which("mariadbd", path=path), shutil.which("mariadb-install-db", path=path)
    if server is None or install is None:
        raise FileNotFoundError(
            "MariaDB is not here. Install it (apt-get install mariadb-server; `nox -s mariadb` does it as "
            f"root), or name a server whose user may create databases in {_VARIABLE}."
        )
    return server, install
