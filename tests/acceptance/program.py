"""One program of a host as a real process, which never outlives the test."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["ROOT", "Program", "script"]

ROOT = Path(__file__).parents[2]
_GUARD = ROOT / "tests" / "servers" / "guard.py"
_END_SECONDS = 10


class Program:
    """A started program in a session of its own, with all that it says in the file `log`.

    A guard (see tests/servers/guard.py) ends it when the test process dies without a word.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        root: Path = ROOT,
    ) -> None:
        folder.mkdir(parents=True)
        self.name = name
        self.log = folder / "output.log"
        alive, held = os.pipe()
        try:
            with self.log.open("wb") as output:
                self._child = subprocess.Popen(
                    command,
                    cwd=root,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    pass_fds=(held,),
                    start_new_session=True,
                )
            self._guard = subprocess.Popen(
                [sys.executable, "-I", _GUARD, str(self.pid), str(folder), str(alive)],
                stdin=subprocess.PIPE,
                pass_fds=(alive,),
                cwd="/",
                start_new_session=True,
            )
        finally:
            os.close(held)
            os.close(alive)

    @property
    def pid(self) -> int:
        """The id of its first process, which is that of its group."""
        return self._child.pid

    def is_alive(self) -> bool:
        """Say whether its first process runs."""
        return self._child.poll() is None

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to every process of its group, as a terminal or a service manager does."""
        os.killpg(self.pid, number)

    def wait(self, *, seconds: float) -> int:
        """Wait for its end and return its exit status. Raises `subprocess.TimeoutExpired`."""
        return self._child.wait(timeout=seconds)

    def stop(self) -> int:
        """Ask it to end, as a service manager does, and return its exit status."""
        self.signal_group(signal.SIGTERM)
        return self.wait(seconds=30)

    def kill(self) -> None:
        """Kill its whole group at once; no process of it runs any more."""
        if not self._guard.stdin or self._guard.stdin.closed:
            return
        with contextlib.suppress(ProcessLookupError):
            self.signal_group(signal.SIGKILL)
        self._child.wait(_END_SECONDS)
        self._guard.kill()
        self._guard.wait()
        self._guard.stdin.close()

    def said(self) -> str:
        """Return all that it has written."""
        return self.log.read_text(encoding="utf-8", errors="replace")


def script(name: str) -> str:
    """Find a command that was installed beside the interpreter."""
    return str(Path(sys.executable).with_name(name))
