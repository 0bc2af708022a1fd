"""The worker inside the web process, when its start fails."""

import threading
from typing import Any, cast

import pytest

from sqr_jobs.adapters.embedded_worker import InProcessBroker, InProcessWorker
from sqr_jobs.service import WorkerService


class _Service:
    """Can't start at first, as in a process that is out of threads."""

    failures = 3

    def __init__(self) -> None:
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")
        if _Service.failures:
            _Service.failures -= 1
            raise RuntimeError("can't start new thread")

    def __getattr__(self, name: str) -> Any:
        return lambda *_arguments: self.calls.append(name)


def test_a_start_that_failed_leaves_nothing_behind_and_is_tried_again() -> None:
    """Each request starts the worker where none runs: one more set of threads with each would be the end."""
    services: list[_Service] = []

    def service() -> WorkerService:
        services.append(_Service())
        return cast("WorkerService", services[-1])

    worker = InProcessWorker(broker=InProcessBroker, service=service, threads=2, grace_s=30)
    before = set(threading.enumerate())
    for _ in range(3):
        with pytest.raises(RuntimeError, match="can't start"):
            worker.start()
    assert set(threading.enumerate()) <= before  # those of tests before may end meanwhile
    assert [each.calls for each in services] == [["start", "stop"]] * 3
    worker.start()
    assert services[-1].calls == ["start", "tell"]
    worker.stop()
    assert services[-1].calls == ["start", "tell", "drain", "stop"]
    assert set(threading.enumerate()) <= before
