"""Run as a script beside each server: kills it and deletes its folder when the test process has died.

A pipe tells of the death, whatever its cause, SIGKILL included: the test process alone holds the writing end,
and the kernel closes it. PR_SET_PDEATHSIG would do less: it exists on Linux only, follows the *thread* that
started the server, needs code between fork and exec, and leaves the folder behind.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys

import psutil

__all__ = ["kill_tree"]


def kill_tree(process: psutil.Process) -> None:
    """Kill a process and all its descendants with SIGKILL, at one blow.

    Killing the first one alone is not enough, nor is its process group: each backend of PostgreSQL leads a
    group of its own, and one that is busy computes on for hours without its postmaster.
    """
    with contextlib.suppress(psutil.NoSuchProcess):
        process.suspend()  # it neither starts children now nor reacts to the death of one
        for member in [*process.children(recursive=True), process]:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()


def _guard(process: psutil.Process, folder: str, server_pipe: int) -> None:
    """Wait for the end of standard input, then kill the server and delete its folder once it is gone."""
    os.read(sys.stdin.fileno(), 1)
    kill_tree(process)
    # Each process of the server holds the writing end: this returns when the last one has exited.
    os.read(server_pipe, 1)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    with contextlib.suppress(psutil.NoSuchProcess):  # a server that failed before its guard was there
        _guard(psutil.Process(int(sys.argv[1])), sys.argv[2], int(sys.argv[3]))
