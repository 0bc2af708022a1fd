"""CPU time of processes, and what the machine is."""

import contextlib
import os
import platform
import time
from collections.abc import Iterable

import psutil

__all__ = ["busy_cpu_s", "cores", "machine", "tree_cpu_s"]

_GIBIBYTE = 1_073_741_824


def tree_cpu_s(pids: Iterable[int]) -> float:
    """Sum user and system seconds of these processes and of all below them, ended ones included.

    An ended child counts with its parent once that has waited for it.
    """
    total = 0.0
    for pid in pids:
        first = psutil.Process(pid)
        for process in (first, *first.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += _own_cpu_s(process.pid, times.user + times.system)
                total += times.children_user + times.children_system
    return total


def busy_cpu_s() -> float:
    """Sum what all processors have done since the machine started, for whomever."""
    times = psutil.cpu_times()._asdict()
    # Linux counts a guest's time as the user's too; what iowait waits for is not work.
    spent = {
        name: value for name, value in times.items() if name not in ("idle", "iowait", "guest", "guest_nice")
    }
    return float(sum(spent.values()))


def cores() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> str:
    """Describe what was measured on."""
    memory = psutil.virtual_memory().total / _GIBIBYTE
    return (
        f"{cores()} cores ({platform.machine()}), {memory:.0f} GiB of memory, {platform.system()}, "
        f"{platform.python_implementation()} {platform.python_version()}"
    )


def _own_cpu_s(pid: int, coarse_s: float) -> float:
    """Read a process's clock, which counts nanoseconds where the system has one; ticks are 10 ms."""
    if platform.system() == "Linux":
        # How clock_getcpuclockid(3) names the clock of another process; Python has it for threads alone.
        with contextlib.suppress(OSError):
            return time.clock_gettime((~pid << 3) | 2)
    return coarse_s
