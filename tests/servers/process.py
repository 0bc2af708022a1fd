"""One server program as a child process that never outlives the tests."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil

from tests.servers.guard import kill_tree
from tests.servers.launch import did_not_start, said_in, spawn
from tests.servers.ports import wait_until

if TYPE_CHECKING:
    import pwd
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

__all__ = ["RunningServer", "ServerIsExternal", "ServerProcess"]

_GUARD = Path(__file__).with_name("guard.py")
_START_SECONDS = 30
_ATTEMPTS = 5
_STOP_SECONDS = 10


class ServerIsExternal(RuntimeError):
    """A test asked to stop a server that was found by an environment variable and isn't ours to stop."""

    def __init__(self, variable: str) -> None:
        super().__init__(
            f"This server was found by {variable}, so the tests may not stop, kill or restart it: "
            f"unset {variable}, or have the test make a server of its own."
        )


class RunningServer(ABC):
    """A server that runs within a `with`: one of our own is started there, and deleted at its end."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def start(self) -> None:
        """Start it and return when it answers; leave one that answers alone."""

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Have our own server take connections and say nothing."""
        with self._own_process().frozen():
            yield

    def said(self) -> str:
        """Return all that our own server has logged. Raises `ServerIsExternal`."""
        return said_in(self._own_process().folder)

    @abstractmethod
    def close(self) -> None:
        """Stop our own server and delete its data; leave an external one alone."""

    @abstractmethod
    def _own_process(self) -> ServerProcess:
        """Make our own server's process at first use. Raises `ServerIsExternal`."""


class ServerProcess:
    """A server's processes: started, stopped, killed and started again with the same command and folder.

    The server gets a session of its own, so that Ctrl-C at the terminal reaches the tests only, and a guard
    (see guard.py) that ends it and deletes the folder when the test process dies without a word.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        account: pwd.struct_passwd | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.command = command
        self._folder = folder
        self._account = account
        self._stop_signal = stop_signal
        self._child: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._server_pipe: int | None = None

    @property
    def folder(self) -> Path:
        """The folder with all that the server keeps; close() deletes it."""
        return self._folder

    @property
    def pid(self) -> int | None:
        """The process id of the server's first process, or None while it doesn't run."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def start(self, *, answers: Callable[[], bool]) -> None:
        """Start the server and return when `answers()` is true; do nothing if it is already.

        A server that runs without answering is killed first: it may be on its way out. One that exits is
        tried again: PostgreSQL refuses to start while the kernel still holds the shared memory of a killed
        one, which takes a moment longer when another program is just reading /proc.

        Raises:
            ServerDidNotStart: the program exited each time, or gave no answer within 30 seconds.

        """
        if self.pid is not None and answers():
            return
        if not any(self._try_to_start(answers) for _ in range(_ATTEMPTS)):
            raise did_not_start(f"{self.command[0]} exited instead of serving.", self._folder)

    def stop(self) -> None:
        """Ask the server to shut down in order, and kill what hasn't within 10 seconds."""
        if self._child is not None:
            self._child.send_signal(self._stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(_STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """Kill the server with SIGKILL and return when all its processes are gone."""
        if self._child is not None:
            if self._child.poll() is None:
                kill_tree(psutil.Process(self._child.pid))
            self._child.wait()
            self._child = None
        if self._server_pipe is not None:
            end = select.poll()
            end.register(self._server_pipe)
            try:
                what = f"the end of all processes of {self.command[0]}"
                wait_until(lambda: end.poll(0), seconds=_STOP_SECONDS, what=what)
            finally:
                os.close(self._server_pipe)
                self._server_pipe = None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop every process of the server, and let them go on afterwards."""
        first = psutil.Process(self.pid)
        processes = [first, *first.children(recursive=True)]
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in processes:
                process.resume()

    def close(self) -> None:
        """Stop the server and delete its folder."""
        self.stop()
        shutil.rmtree(self._folder)
        self._replace_guard(None)

    def _try_to_start(self, answers: Callable[[], bool]) -> bool:
        """Start the server and return true when it answers, false when it has exited."""
        self.kill()
        try:
            self._spawn_with_guard()
            wait_until(
                lambda: self.pid is None or answers(),
                seconds=_START_SECONDS,
                what=f"an answer from {self.command[0]}",
            )
        except TimeoutError as error:
            self.kill()
            raise did_not_start(str(error), self._folder) from error
        except BaseException:
            self.kill()
            raise
        return self.pid is not None

    def _spawn_with_guard(self) -> None:
        self._server_pipe, held_by_server = os.pipe()
        try:
            self._child = spawn(self.command, folder=self._folder, account=self._account, keep=held_by_server)
        finally:
            os.close(held_by_server)
        guard = subprocess.Popen(
            [sys.executable, "-I", _GUARD, str(self._child.pid), self._folder, str(self._server_pipe)],
            stdin=subprocess.PIPE,
            pass_fds=(self._server_pipe,),
            cwd="/",
            start_new_session=True,
        )
        self._replace_guard(guard)

    def _replace_guard(self, guard: subprocess.Popen[bytes] | None) -> None:
        """Dismiss the guard only when the next one is there, or nothing is left to guard."""
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.kill()
            self._guard.wait()
            self._guard.stdin.close()
        self._guard = guard
