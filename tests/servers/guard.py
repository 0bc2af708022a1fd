"""Run as a script beside each server: kills it and deletes its folder when the test process has died.

A pipe tells of the death, whatever its cause, SIGKILL included: the test process alone holds the writing end,
and the kernel closes it. PR_SET_PDEATHSIG would do less: it exists on Linux only, follows the *thread* that
started the server, needs code between fork and exec, and leaves the folder behind.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys

__all__: list[str] = []


def _guard(process_group: int, folder: str, server_pipe: int) -> None:
    """Wait for the end of standard input, then kill the group and delete its folder once all are gone."""
    os.read(sys.stdin.fileno(), 1)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process_group, signal.SIGKILL)
    # Each process of the server holds the writing end: this returns when the last one has exited.
    os.read(server_pipe, 1)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _guard(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
