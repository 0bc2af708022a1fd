"""The guardian of one render child, on Linux: it starts the child, and outlives it until nothing is left.

A small process between the worker and the child, of four megabytes: it is run as a script and imports nothing
of the package. It is a *subreaper*: the kernel gives it every process below the child whose own parent has
died, in any session and any process group. It kills all of them when the child has ended, or when the worker
closes the lifeline or dies. Then it ends as the child did.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import time

__all__ = ["COMMAND", "leave_no_core_file", "main"]

COMMAND = ("-P", "-m", "sqr_jobs.documents.child")
"""Arguments for Python that run the render child; `-P` keeps the working folder out of its imports."""

_PR_SET_CHILD_SUBREAPER = 36
_SWEEP_S = 1.0
_PAUSE_S = 0.002
_NONE_LEFT = 0
_IGNORED = ("SIGTERM", "SIGINT", "SIGHUP", "SIGALRM", "SIGIO")


def main(lifeline_fd: int, arguments: list[str]) -> int:
    """Run the child, which is given the arguments; return its exit status, or end by its signal.

    All arguments are descriptors; of those this process keeps the lifeline alone.
    """
    leave_no_core_file()
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    child = os.fork()
    if child == 0:
        _become_child(arguments)
    _stay_out_of_the_way({int(fd) for fd in arguments} - {lifeline_fd})
    status = _wait(child, lifeline_fd)
    _sweep()
    if status is None:
        return 0
    if os.WIFSIGNALED(status):
        _end_by(os.WTERMSIG(status))
    return os.waitstatus_to_exitcode(status)


def leave_no_core_file() -> None:
    """Keep a person's data out of core files: none is written, and one that is piped has no memory in it."""
    import resource  # noqa: PLC0415 - Windows has none, and imports this module all the same

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with open("/proc/self/coredump_filter", "w", encoding="ascii") as mask:  # noqa: PTH123
            mask.write("0")
    except OSError:  # a kernel without core files
        return


def _become_child(arguments: list[str]) -> None:
    """Replace this process with the render child."""
    try:
        os.execv(sys.executable, [sys.executable, *COMMAND, *arguments])  # noqa: S606 - our own module
    finally:
        os._exit(127)


def _stay_out_of_the_way(passed: set[int]) -> None:
    """Hold no end of what the child writes to, and leave signals to the child."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)
    for fd in passed:
        os.close(fd)
    for name in _IGNORED:
        signal.signal(getattr(signal, name), signal.SIG_IGN)


def _wait(child: int, lifeline_fd: int) -> int | None:
    """Wait for the end of the child and return its status; None when the lifeline ended first."""
    wake, woken = os.pipe()
    for fd in (wake, woken):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    poll = select.poll()
    poll.register(lifeline_fd, select.POLLIN)
    poll.register(wake, select.POLLIN)
    while True:
        status = _reap().get(child)
        if status is not None:
            return status
        if any(fd == lifeline_fd for fd, _ in poll.poll()):
            return None
        os.read(wake, 512)


def _sweep() -> None:
    """Kill everything below, level by level, until nothing is left.

    What runs under another user id can't be killed, so the effort is bounded.
    """
    until = time.monotonic() + _SWEEP_S
    while time.monotonic() < until:
        for pid in _children():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if _reap().get(_NONE_LEFT):
            return
        time.sleep(_PAUSE_S)


def _reap() -> dict[int, int]:
    """Collect what has ended: statuses by process, and `_NONE_LEFT` where nothing runs any more."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return {**ended, _NONE_LEFT: True}
        if pid == 0:
            return ended
        ended[pid] = status


def _children() -> list[int]:
    """Name the direct children; orphans below them become such when their parents have been killed."""
    own = os.getpid()
    try:
        return [int(pid) for pid in _read(f"/proc/{own}/task/{own}/children").split()]
    except FileNotFoundError:  # a kernel without that list
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and _parent(name) == own]  # noqa: PTH208


def _parent(pid: str) -> int | None:
    try:
        return int(_read(f"/proc/{pid}/stat").rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return None


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - pathlib costs a megabyte
        return file.read()


def _end_by(number: int) -> None:
    """End this process by the signal that ended the child, so that the worker sees it."""
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
