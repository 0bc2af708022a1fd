"""The file under a SQLite engine: the connections' own and the one at its path must be the same."""

from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from sqlalchemy import URL, Engine, event

from sqr_jobs.errors import DatabaseUnavailable
from sqr_jobs.local_paths import close_to_others, private_file

__all__ = ["confirm_file", "watch_file"]

_KEY = "sqr_jobs_sqlite_file"

_REPLACED = (
    "The SQLite file, or its -wal or -shm file, was replaced, moved or removed while it was open. The next "
    "request opens what is there now. If that is the wrong file, stop the service and restore the right one."
)
_GONE = (
    "The SQLite file is gone. Put it back with its -wal file, or restart the service to begin with a new one."
)
_OTHERS_LOG = (
    "The SQLite file was replaced, and the -wal file beside it belongs to the old one, whose pages would be "
    "written into the new one. Stop the service, remove the -wal and -shm files, and start it again."
)


class _Identity(NamedTuple):
    """Which files are at the path: device and inode of each, None where there is none."""

    main: tuple[int, int] | None
    wal: tuple[int, int] | None
    shm: tuple[int, int] | None


class _File:
    """The file of one engine, as its connections found it."""

    def __init__(self, path: Path) -> None:
        self._paths = tuple(path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm"))
        self._last: _Identity | None = None

    def prepare(self) -> None:
        """Make way for a connection. Raises `DatabaseUnavailable` where it would open the wrong file."""
        now = self.identity()
        if self._last is not None:
            if now.main is None:
                raise DatabaseUnavailable(_GONE)
            if now.main != self._last.main and now.wal is not None and now.wal == self._last.wal:
                raise DatabaseUnavailable(_OTHERS_LOG)
        private_file(self._paths[0])  # SQLite gives the other two the same permissions
        for path in self._paths:
            close_to_others(path)

    def opened(self) -> _Identity:
        """Note what a new connection has opened."""
        self._last = self.identity()
        return self._last

    def confirm(self, opened: _Identity) -> None:
        """Compare. Raises `DatabaseUnavailable` where a connection writes into a file that nobody finds."""
        now = self.identity()
        if now != opened:
            raise DatabaseUnavailable(_REPLACED if now.main else _GONE)

    def identity(self) -> _Identity:
        """Read it anew; SQLite keeps the three files as long as a connection is open."""
        return _Identity(*(_identity_of(path) for path in self._paths))


def watch_file(engine: Engine) -> None:
    """Have the connections of an engine judged whenever they are made or taken from the pool.

    A process goes on writing into a file that was removed or replaced, and into a removed WAL. What it
    commits there is lost with the process.
    """
    file = _File(_path_of(engine.url))

    @event.listens_for(engine, "do_connect")
    def _prepare(*_arguments: Any) -> None:
        file.prepare()

    @event.listens_for(engine, "connect")
    def _note(connection: Any, record: Any) -> None:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # opens the WAL
        record.info[_KEY] = (file, file.opened())

    @event.listens_for(engine, "checkout")
    def _judge(_connection: Any, record: Any, _fairy: Any) -> None:
        try:
            confirm_file(record.info)
        except DatabaseUnavailable:
            engine.dispose()  # the idle ones have the same file open; the pool drops this one itself
            raise


def confirm_file(info: dict[Any, Any]) -> None:
    """Compare the file that a connection has open with the one at its path, by the connection's `info`."""
    if _KEY in info:
        file, opened = info[_KEY]
        file.confirm(opened)


def _path_of(url: URL) -> Path:
    name = url.database or ""
    if name.startswith("file:"):
        name = unquote("/" + name.removeprefix("file:").lstrip("/"))
    return Path(name)


def _identity_of(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
