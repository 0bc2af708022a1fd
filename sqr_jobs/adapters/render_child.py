"""One render child: its process, the pipe that it dies by, and the nameless file that it writes to."""

import contextlib
import importlib.util
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from sqr_jobs.documents.guardian import COMMAND
from sqr_jobs.documents.pipes import MessageReader, pack
from sqr_jobs.documents.places import Frame, dumped_frames
from sqr_jobs.errors import ConfigurationError, FactoryFailed
from sqr_jobs.forks import Forkable, mind_forks

__all__ = ["LOOK_AGAIN_S", "RenderChild"]

LOOK_AGAIN_S = 0.5
"""How long whoever waits for a child goes without looking at its lease."""

_END_S = 1.5
_STACK_S = 0.3
_LONGEST_STACK = 65_536


class RenderChild(Forkable):
    """One child process, with the pipe that it dies by and the nameless file that it writes to.

    On Linux a guardian runs between the worker and the child. It ends as the child did, once nothing that
    the child started is left.
    """

    def __init__(self, factory: str, work_dir: Path | None, *, python: str) -> None:
        self.started_at = time.monotonic()
        # Unbuffered: a buffer could still hold the document before, which another process has replaced.
        self.output = tempfile.TemporaryFile(dir=work_dir, buffering=0)  # noqa: SIM115 - closed by kill
        self._is_killed = False
        self._descriptors: list[int] = []
        self._files: list[IO[bytes]] = [self.output]
        mind_forks(self)  # before there is anything that a forked copy could keep open
        path = [str(Path(entry).absolute()) for entry in sys.path]
        try:
            lifeline_read, self._lifeline = _pipe(self._descriptors)
            self._stack, stack_write = _pipe(self._descriptors)
            passed = (self.output.fileno(), lifeline_read, stack_write)
            self._process = subprocess.Popen(  # noqa: S603 - our own module under our own interpreter
                _command(python, lifeline_read, passed),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=passed,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
                bufsize=0,
            )
        except BaseException:
            self._is_killed = True
            self._let_go()
            raise
        for fd in (lifeline_read, stack_write):
            self._descriptors.remove(fd)
            os.close(fd)
        os.set_blocking(self._stack, False)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._files += [self._stdin, self._stdout]
        self._reader = MessageReader(self._stdout.fileno())
        self._ended = _EndOf(self._process)
        self._descriptors += self._ended.descriptors
        self._dump = ""
        self.is_over = False
        """Whether nothing more can come from it: it has ended, or has sent what is no message."""
        self.is_worn = False
        self.own_code: list[str] = []
        """Folders and files of the host's templates, by which a stack is read."""
        self.send({"factory": factory, "sys_path": path, "python_path": os.environ.get("PYTHONPATH")})

    def wait_ready(self, left: Callable[[], float]) -> bool:
        """Wait until the factory is built; false when no time was left.

        Raises `ConfigurationError` when it can't be built, or when the child has ended.
        """
        reply = self.receive(left)
        if reply is None and not self.is_over:
            return False
        if reply is None:
            raise ConfigurationError(f"the render child ended with status {self.end()} while it started")
        if "start_failed" in reply:
            raise FactoryFailed(str(reply["start_failed"]), str(reply["cause"]))
        self.own_code = [str(entry) for entry in reply.get("own_code", ())]
        return True

    def send(self, message: dict[str, Any]) -> None:
        """Write a message; a child that is gone shows at the next read."""
        with contextlib.suppress(BrokenPipeError):
            self._stdin.write(pack(message))

    def receive(self, left: Callable[[], float]) -> dict[str, Any] | None:
        """Read a message; None when the child is over, or when no time is left and nothing is there."""
        poll, replies = select.poll(), self._stdout.fileno()
        for fd in (replies, *self._ended.descriptors):
            poll.register(fd, select.POLLIN)
        while not self.is_over:
            # In short steps, because a lease may be extended, lost or aborted meanwhile.
            seconds = min(max(left(), 0.0), LOOK_AGAIN_S)
            ready = {fd for fd, _ in poll.poll(seconds * 1000)}
            if replies in ready:
                message = self._read_part()
                if message is not None:
                    return message
            elif self._process.poll() is not None:  # a process that it left behind may hold the pipe open
                self.is_over = True
            elif not seconds:
                return None
        return None

    def is_fit(self) -> bool:
        """Say whether an idle child can take an order: it runs, and has sent nothing unasked."""
        if self._is_killed or self.is_over or self._process.poll() is not None:
            return False
        poll = select.poll()
        poll.register(self._stdout, select.POLLIN)
        return not poll.poll(0)

    def end(self) -> int:
        """End the child, unless it has ended by itself; return its exit status, negative for a signal."""
        self._ended.wait(1)
        self.kill()
        return self._process.returncode

    def interrupt(self) -> None:
        """Have the child write its stack, and kill it."""
        if not self._is_killed:
            self._signal(signal.SIGALRM)  # by which it dies; the guardian ignores it
            self._ended.wait(_STACK_S)
            self.kill()

    def last_stack(self) -> Sequence[Frame]:
        """Give the stack that the child wrote when it died, the innermost call last."""
        return dumped_frames(self._dump)

    def forget_output(self) -> None:
        """Leave no document behind in the work file."""
        self.output.seek(0)
        self.output.truncate()

    def kill(self) -> None:
        """Kill the process and whatever it started, at once; the file and the pipes go with it."""
        if self._is_killed:
            return
        self._is_killed = True
        with contextlib.suppress(BrokenPipeError):
            os.write(self._lifeline, b"\0")
        if sys.platform == "linux":
            self._ended.wait(_END_S)
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._dump = self._read_stacks()
        self._let_go()

    def after_fork_in_child(self) -> None:
        """Leave it to the parent: who keeps its lifeline open keeps it alive when the parent dies."""
        if not self._is_killed:
            self._is_killed = True
            self._let_go()

    def _read_part(self) -> dict[str, Any] | None:
        try:
            message = self._reader.read_part()
        except (ValueError, RecursionError):
            self.is_over = True
            return None
        self.is_over = self._reader.is_at_end
        return message

    def _read_stacks(self) -> str:
        """Read what the child wrote, which may come in several parts."""
        dump = b""
        with contextlib.suppress(BlockingIOError):
            while len(dump) < _LONGEST_STACK and (part := os.read(self._stack, _LONGEST_STACK)):
                dump += part
        return dump.decode("utf-8", "replace")

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _let_go(self) -> None:
        for fd in self._descriptors:
            os.close(fd)
        for file in self._files:
            file.close()


class _EndOf:
    """The end of a process, to be waited for without collecting it, so that its id stays its own."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self.descriptors: tuple[int, ...] = ()
        """One that is readable from the end on, where the system has such (Linux)."""
        with contextlib.suppress(OSError, AttributeError):
            self.descriptors = (os.pidfd_open(process.pid),)

    def wait(self, seconds: float) -> None:
        """Wait until the end, but no longer than this."""
        if self.descriptors:
            poll = select.poll()
            poll.register(self.descriptors[0], select.POLLIN)
            poll.poll(seconds * 1000)
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=seconds)


def _pipe(opened: list[int]) -> tuple[int, int]:
    ends = os.pipe()
    opened.extend(ends)
    return ends


def _command(python: str, lifeline: int, passed: Sequence[int]) -> list[str]:
    """Say how the child is started; on Linux its guardian starts it, without any package of the host's."""
    arguments = [str(fd) for fd in passed]
    guardian = importlib.util.find_spec("sqr_jobs.documents.guardian")
    if sys.platform == "linux" and guardian is not None and guardian.origin:
        alone = "-P" if "PYTHONHOME" in os.environ else "-I"  # by which such a Python finds its library
        return [python, alone, "-S", guardian.origin, str(lifeline), *arguments]
    return [python, *COMMAND, *arguments]
