"""One render child: its process, the pipe that it dies by, and the nameless file that it writes to."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqr_jobs.documents.pipes import pack, read_message
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.errors import ConfigurationError, FactoryFailed
from sqr_jobs.forks import Forkable, mind_forks

__all__ = ["LOOK_AGAIN_S", "RenderChild"]

LOOK_AGAIN_S = 0.5
"""How long whoever waits for a child goes without looking at its lease."""


class RenderChild(Forkable):
    """One child process, with the pipe that it dies by and the nameless file that it writes to."""

    def __init__(self, factory: str, work_dir: Path | None) -> None:
        # Unbuffered: a buffer could still hold the document before, which another process has replaced.
        self.output = tempfile.TemporaryFile(dir=work_dir, buffering=0)  # noqa: SIM115 - closed by kill
        path = [str(Path(entry).absolute()) for entry in sys.path]
        lifeline_read, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module under our own interpreter
                [
                    sys.executable,
                    "-P",  # what lies in the current folder must not hide what the parent imported
                    "-m",
                    "sqr_jobs.documents.child",
                    str(self.output.fileno()),
                    str(lifeline_read),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=(self.output.fileno(), lifeline_read),
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
                bufsize=0,
            )
        except BaseException:
            os.close(self._lifeline)
            self.output.close()
            raise
        finally:
            os.close(lifeline_read)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._is_killed = False
        self.is_worn = False
        mind_forks(self)
        self.send({"factory": factory, "sys_path": path, "python_path": os.environ.get("PYTHONPATH")})

    def wait_ready(self, left: Callable[[], float]) -> None:
        """Wait until the factory is built. Raises `ConfigurationError` when that can't be."""
        reply = self.receive(left)
        if reply is None:
            raise ConfigurationError("the render child ended, or took too long, while it built the factory")
        if "start_failed" in reply:
            raise FactoryFailed(str(reply["start_failed"]), str(reply["cause"]))

    def send(self, message: dict[str, Any]) -> None:
        """Write a message; a child that is gone shows at the next read."""
        with contextlib.suppress(BrokenPipeError):
            self._stdin.write(pack(message))

    def receive(self, left: Callable[[], float]) -> dict[str, Any] | None:
        """Read a message; None when the child is gone or no time is left."""
        poll = select.poll()
        poll.register(self._stdout, select.POLLIN)
        while (seconds := left()) > 0:
            # In short steps, because a lease may be extended, lost or aborted meanwhile.
            if poll.poll(min(seconds, LOOK_AGAIN_S) * 1000):
                try:
                    return read_message(self._stdout.fileno())
                except (ValueError, TypeError, json.JSONDecodeError):
                    return None
        return None

    def is_alive(self) -> bool:
        """Say whether the process runs."""
        return not self._is_killed and self._process.poll() is None

    def status(self) -> int:
        """Wait for the end and return the exit status, negative for a signal."""
        self._process.wait()
        return self._process.returncode

    def epitaph(self) -> JobErrorCode:
        """Say of a child that ended on its own what ended it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1)
        self.kill()
        timed_out = self._process.returncode == -signal.SIGALRM
        return JobErrorCode.RENDER_TIMEOUT if timed_out else JobErrorCode.RENDER_CRASHED

    def forget_output(self) -> None:
        """Leave no document behind in the work file."""
        self.output.seek(0)
        self.output.truncate()

    def kill(self) -> None:
        """Kill the process and whatever it started, at once; the file and the pipes go with it."""
        if self._is_killed:
            return
        self._is_killed = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._let_go()

    def after_fork_in_child(self) -> None:
        """Leave it to the parent: who keeps its lifeline open keeps it alive when the parent dies."""
        if not self._is_killed:
            self._is_killed = True
            self._let_go()

    def _let_go(self) -> None:
        os.close(self._lifeline)
        for file in (self._stdin, self._stdout, self.output):
            file.close()
