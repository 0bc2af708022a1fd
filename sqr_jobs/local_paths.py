"""Paths that stay what they were at the start, and files and folders that only their owner can read."""

import contextlib
import os
import re
import stat
from pathlib import Path
from urllib.parse import quote

__all__ = [
    "absolute_database",
    "absolute_path",
    "absolute_sqlite_url",
    "close_to_others",
    "private_file",
    "private_folder",
]

_OURS = frozenset(
    {"jobs.db", "jobs.db-wal", "jobs.db-shm", "documents", "downloads", "link-key", "token-key"}
)
_SQLITE_URL = re.compile(r"(sqlite(?:\+\w+)?:///)([^?]*)(.*)", re.DOTALL)
_GROUP_WRITES = stat.S_IWGRP


def absolute_path(path: Path) -> Path:
    """Make a path absolute, unless the working folder has been removed."""
    try:
        return path.absolute()
    except FileNotFoundError:
        return path


def absolute_database(name: str, folder: Path | None = None) -> str:
    """Make the file name of a SQLite URL absolute.

    A relative name starts from `folder`, by default the working folder.
    """
    if name in ("", ":memory:") or name.startswith("file::memory:"):
        return name
    if name.startswith("file:"):
        inner = name.removeprefix("file:")
        return name if inner.startswith("/") else f"file:{quote(str(folder or Path.cwd()))}/{inner}"
    return str(absolute_path(folder / name if folder else Path(name)))


def absolute_sqlite_url(url: str) -> str:
    """Make the file name in a SQLite URL absolute; any other text comes back as it is."""
    found = _SQLITE_URL.fullmatch(url)
    if found is None:
        return url
    name = found[2]
    absolute = absolute_database(name)
    added = absolute.removesuffix(name)  # the rest is quoted already, if it has to be
    return f"{found[1]}{added.replace('%', '%25').replace('?', '%3F')}{absolute[len(added) :]}{found[3]}"


def private_folder(folder: Path) -> None:
    """Create a folder with mode 0700. Raises `OSError`.

    One that exists, from an earlier version, is closed to others only if it holds nothing but our files.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if not folder.is_dir():
            raise
        names = {each.name for each in folder.iterdir() if not each.name.startswith(".")}
        if names and names <= _OURS:
            close_to_others(folder)


def private_file(path: Path) -> None:
    """Create an empty file with mode 0600 if there is none; whatever prevents that is the caller's to meet.

    A file that exists is not opened: closing it would release SQLite's locks of this whole process.
    """
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def close_to_others(path: Path) -> None:
    """Take a file's or folder's permissions from others, and from a group that may not write anyway.

    A group that may write is meant to, because two accounts share the file.
    """
    with contextlib.suppress(OSError):  # it is not there, or not ours to change
        mode = stat.S_IMODE(path.stat().st_mode)
        closed = mode & ~(0o007 if mode & _GROUP_WRITES else 0o077)
        if closed != mode and os.name != "nt":
            path.chmod(closed)
