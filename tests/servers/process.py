"""One server program as a child process that never outlives the tests."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.servers.guard import kill_tree
from tests.servers.ports import wait_until

if TYPE_CHECKING:
    import pwd
    from collections.abc import Callable, Sequence

__all__ = ["ServerDidNotStart", "ServerIsExternal", "ServerProcess", "run_as"]

_GUARD = Path(__file__).with_name("guard.py")
_START_SECONDS = 30
_STOP_SECONDS = 10


class ServerDidNotStart(RuntimeError):  # noqa: N818 - the name states the fact
    """A server program exited, or didn't answer in time; the message ends with its log."""


class ServerIsExternal(RuntimeError):  # noqa: N818 - the name states the fact
    """A test asked to stop a server that was found by an environment variable and isn't ours to stop."""

    def __init__(self, variable: str) -> None:
        super().__init__(
            f"This server was found by {variable}, so the tests may not stop, kill or restart it: "
            f"unset {variable}, or have the test make a server of its own."
        )


class ServerProcess:
    """A server's processes: started, stopped, killed and started again with the same command and folder.

    The server gets a session of its own, so that Ctrl-C at the terminal reaches the tests only, and a guard
    (see guard.py) that ends it when the test process dies without a word.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        account: pwd.struct_passwd | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self._command = command
        self._folder = folder
        self._account = account
        self._stop_signal = stop_signal
        self._child: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._server_pipe = -1

    @property
    def pid(self) -> int | None:
        """The process id of the server's first process, or None while it doesn't run."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def start(self, *, answers: Callable[[], bool]) -> None:
        """Start the server and return when `answers()` is true; do nothing if it is already.

        A server that runs without answering is killed first: it may be on its way out.

        Raises:
            ServerDidNotStart: the program exited, or gave no answer within 30 seconds.

        """
        if self.pid is not None and answers():
            return
        self.kill()
        try:
            self._start_with_guard()
            wait_until(
                lambda: self.pid is None or answers(),
                seconds=_START_SECONDS,
                what=f"an answer from {self._command[0]}",
            )
        except TimeoutError as error:
            self.kill()
            raise _did_not_start(str(error), self._folder) from error
        except BaseException:
            self.kill()
            raise
        if self.pid is None:
            self.kill()
            raise _did_not_start(f"{self._command[0]} exited instead of serving.", self._folder)

    def stop(self) -> None:
        """Ask the server to shut down in order, and kill what hasn't within 10 seconds."""
        if self._child is not None:
            self._child.send_signal(self._stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(_STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """Kill the server with SIGKILL and return when all its processes are gone."""
        if self.pid is not None and self._child is not None:
            kill_tree(psutil.Process(self._child.pid))
        if self._child is not None:
            self._child.wait()
            self._child = None
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.kill()
            self._guard.wait()
            self._guard.stdin.close()
            self._guard = None
        if self._server_pipe >= 0:
            end = select.poll()
            end.register(self._server_pipe)
            try:
                what = f"the end of all processes of {self._command[0]}"
                wait_until(lambda: end.poll(0), seconds=_STOP_SECONDS, what=what)
            finally:
                os.close(self._server_pipe)
                self._server_pipe = -1

    def _start_with_guard(self) -> None:
        self._server_pipe, held_by_server = os.pipe()
        try:
            self._child = _spawn(
                self._command, folder=self._folder, account=self._account, keep=held_by_server
            )
        finally:
            os.close(held_by_server)
        self._guard = subprocess.Popen(
            [sys.executable, "-I", _GUARD, str(self._child.pid), self._folder, str(self._server_pipe)],
            stdin=subprocess.PIPE,
            pass_fds=(self._server_pipe,),
            cwd="/",
            start_new_session=True,
        )


def run_as(account: pwd.struct_passwd | None, command: Sequence[str], *, folder: Path) -> None:
    """Run a command that prepares a server, as `account` if given, to its end.

    Raises:
        ServerDidNotStart: the command failed.
        PermissionError: the account can't reach the command or the folder.

    """
    if _spawn(command, folder=folder, account=account).wait() != 0:
        raise _did_not_start(f"{command[0]} failed.", folder)


def _spawn(
    command: Sequence[str], *, folder: Path, account: pwd.struct_passwd | None, keep: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a command in its folder, with its log there, and nothing of the caller's environment.

    Variables such as PGDATA, RCLONE_CONFIG or LANG would make the server differ from machine to machine.
    """
    with _log(folder).open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={"PATH": os.defpath, "HOME": str(folder), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=() if keep is None else (keep,),
            start_new_session=True,
            user=None if account is None else account.pw_uid,
            group=None if account is None else account.pw_gid,
            extra_groups=None if account is None else [],
        )


def _log(folder: Path) -> Path:
    return folder / "server.log"


def _did_not_start(reason: str, folder: Path) -> ServerDidNotStart:
    lines = _log(folder).read_text(errors="replace").splitlines()
    return ServerDidNotStart("\n".join([reason, "The end of its log:", *lines[-20:]]))
