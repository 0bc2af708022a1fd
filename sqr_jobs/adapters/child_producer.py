"""Documents made in render children that can be killed."""

import contextlib
import hashlib
import json
import logging
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqr_jobs.documents.pipes import pack, read_message
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.errors import AttemptFailed, ConfigurationError, FactoryFailed
from sqr_jobs.leases import Lease
from sqr_jobs.logs import Outage
from sqr_jobs.ports import ProducedDocument, RenderOrder

__all__ = ["ChildProducer"]

_logger = logging.getLogger("sqr_jobs.children")

_LOOK_AGAIN_S = 0.5
_TIMER_SLACK_S = 0.5
_START_LIMIT_S = 60.0


class ChildProducer:
    """`DocumentProducer` over warm child processes, as many as threads ask at the same time.

    `factory` tells the import path of the host's factory. A child serves one order at a time and is killed
    with its whole process group when the attempt's time is over or when it misbehaves. Raises
    `ConfigurationError` on a system that has no such groups (Windows).
    """

    def __init__(
        self,
        *,
        factory: Callable[[], str],
        memory_bytes: int,
        output_bytes: int,
        work_dir: Path | None = None,
    ) -> None:
        if not (hasattr(os, "killpg") and hasattr(select, "poll")):
            raise ConfigurationError(
                "Render children need a POSIX system, such as Linux or macOS. To develop here, set "
                "SQR_JOBS_RENDER=inline; no limit of time or memory holds then."
            )
        self._factory = factory
        self._limits = {"memory_bytes": memory_bytes, "output_bytes": output_bytes}
        self._work_dir = work_dir
        self._idle: list[_Child] = []
        self._lock = threading.Lock()
        self._is_closed = False
        self._warming: threading.Event | None = None
        self._outage = Outage()

    def warm(self) -> None:
        """Start one child, so that a factory that can't be built shows at once.

        Raises `ConfigurationError`.
        """
        until = time.monotonic() + _START_LIMIT_S
        self._warming = ended = threading.Event()
        try:
            child = self._start()
            try:
                child.wait_ready(lambda: until - time.monotonic())
            except BaseException:
                child.kill()
                raise
            self._put_back(child)
        finally:
            ended.set()

    def produce(self, order: RenderOrder, lease: Lease) -> ProducedDocument:
        """Have a child make the document, and kill the child when the lease says so."""
        child = self._take(lease)
        try:
            reply = self._ask(child, order, lease)
        except BaseException:
            child.kill()
            raise
        if "size" not in reply:
            if reply["code"] == JobErrorCode.OUT_OF_MEMORY:
                child.kill()  # it is ending by itself, with a worn-out heap
            else:
                self._put_back(child)
            raise AttemptFailed(
                JobErrorCode(reply["code"]),
                str(reply["cause"]),
                reason=str(reply["reason"]),
                stack=str(reply["stack"]),
            )
        child.is_worn = bool(reply.get("worn"))
        child.output.seek(0)
        sha256 = hashlib.file_digest(child.output, "sha256").hexdigest()
        size = child.output.tell()
        child.output.seek(0)
        return ProducedDocument(
            file=child.output, size=size, sha256=sha256, release=lambda: self._put_back(child)
        )

    def close(self) -> None:
        """End the idle children."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for child in idle:
            child.kill()

    def _ask(self, child: "_Child", order: RenderOrder, lease: Lease) -> dict[str, Any]:
        seconds = max(lease.rendering_limit(), 0.01) + _TIMER_SLACK_S
        child.send({"order": asdict(order), "limits": {"seconds": seconds, **self._limits}})
        reply = child.receive(lease.rendering_left)
        if reply is not None:
            return reply
        if lease.rendering_left() <= 0:
            raise lease.ending()
        code, ended = child.epitaph(), f"the render child ended with status {child.status()}"
        raise AttemptFailed(code, ended, reason=ended)

    def _take(self, lease: Lease) -> "_Child":
        idle = self._take_idle(lease)
        if idle is not None:
            return idle
        child = self._start()
        try:
            child.wait_ready(lease.rendering_left)
        except ConfigurationError as error:
            child.kill()
            lease.check()
            if self._outage.is_news(str(error)):
                _logger.error("no render child could be started: %s", error)  # noqa: TRY400 - it says it all
            cause = error.cause if isinstance(error, FactoryFailed) else str(error)
            reason = "no render child could be started"
            raise AttemptFailed(JobErrorCode.TEMPLATE_NOT_FOUND, cause, reason=reason) from None
        except BaseException:
            child.kill()
            raise
        if (lasted_s := self._outage.over()) is not None:
            _logger.info("render children start again, after %.0f s", lasted_s)
        return child

    def _take_idle(self, lease: Lease) -> "_Child | None":
        """Take a child that waits, or the first one, which may be about to."""
        while True:
            with self._lock:
                child = self._idle.pop() if self._idle else None
                if child is None:
                    warming, self._warming = self._warming, None  # the next order starts its own
            if child is not None:
                if child.is_alive():
                    return child
                child.kill()
            elif warming is None:
                return None
            else:
                while (left := lease.rendering_left()) > 0 and not warming.wait(min(left, _LOOK_AGAIN_S)):
                    pass

    def _start(self) -> "_Child":
        try:
            return _Child(self._factory(), self._work_dir)
        except OSError as error:
            raise ConfigurationError(
                f"no render child can be started here ({error.strerror}). Look at SQR_JOBS_WORK_DIR, at the "
                "limits of open files and processes, and at the memory."
            ) from None

    def _put_back(self, child: "_Child") -> None:
        if child.is_worn or not child.is_alive():
            child.kill()
            return
        child.forget_output()
        with self._lock:
            if not self._is_closed:
                self._idle.append(child)
                return
        child.kill()


class _Child:
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
            if poll.poll(min(seconds, _LOOK_AGAIN_S) * 1000):
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
        os.close(self._lifeline)
        for file in (self._stdin, self._stdout, self.output):
            file.close()
