"""Keeps the connections of an engine of our own out of forked processes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from sqr_jobs.errors import DatabaseUnavailable
from sqr_jobs.forks import Forkable

__all__ = ["ForkGate"]


class ForkGate(Forkable):
    """Gives a forked process connections of its own.

    A server's connection that two processes use mixes up their answers. With SQLite it is worse, because it
    keeps a list, for the whole process, of the locks that it holds on a file, and a child inherits the list
    and not the locks: as long as one connection was open at the fork, new ones of the child lock nothing.
    When the parent ends, it then removes the WAL into which the child goes on to commit. So `is_exclusive`,
    for SQLite, has a fork wait for up to `patience_s` until no connection is in use, and closes all.
    """

    def __init__(self, engine: Engine, *, is_exclusive: bool, patience_s: float) -> None:
        self._engine = engine
        self._is_exclusive = is_exclusive
        self._patience_s = patience_s
        self._moved = threading.Condition()
        self._inside = 0
        self._is_forking = False
        self._is_unsafe = False
        self._inherited: list[object] = []

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Use a connection. Raises `DatabaseUnavailable` where a fork has made that unsafe."""
        with self._moved:
            if self._is_forking:
                self._moved.wait_for(lambda: not self._is_forking, self._patience_s)
            if self._is_unsafe:
                raise DatabaseUnavailable(
                    "This process was forked while its parent was using the SQLite file. Stop the service "
                    "(reports.stop()) before the fork, or fork first."
                )
            self._inside += 1
        try:
            yield
        finally:
            with self._moved:
                self._inside -= 1
                self._moved.notify_all()

    def before_fork(self) -> None:
        """Let nobody in; where nothing may be open, wait for those inside, and close what is idle."""
        self._moved.acquire()
        self._is_forking = True
        if self._is_exclusive and self._moved.wait_for(lambda: self._inside == 0, self._patience_s):
            self._engine.dispose()

    def after_fork_in_parent(self) -> None:
        """Let everybody in again."""
        self._is_forking = False
        self._moved.notify_all()
        self._moved.release()

    def after_fork_in_child(self) -> None:
        """Begin anew; the parent's connections are neither used nor closed here, and so never let go."""
        self._is_unsafe = self._is_unsafe or (self._is_exclusive and self._inside > 0)
        self._inherited.append(self._engine.pool)
        self._engine.dispose(close=False)
        self._moved = threading.Condition()
        self._inside = 0
        self._is_forking = False
