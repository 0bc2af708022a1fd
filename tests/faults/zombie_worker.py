"""A worker that falls asleep in the worst instant: its document is stored, and not yet recorded.

For `dramatiq tests.faults.zombie_worker:broker`; SIGCONT wakes it.
"""

import os
import signal
from typing import Any

from sqr_jobs import worker
from sqr_jobs.adapters.sql import SqlJobExecution

__all__: list[str] = []


def __getattr__(name: str) -> object:
    if name != "broker":
        raise AttributeError(name)
    complete = SqlJobExecution.complete

    def sleep_first(self: SqlJobExecution, *arguments: Any, **keywords: Any) -> bool:
        SqlJobExecution.complete = complete
        os.kill(os.getpid(), signal.SIGSTOP)
        return complete(self, *arguments, **keywords)

    SqlJobExecution.complete = sleep_first
    return worker.broker
