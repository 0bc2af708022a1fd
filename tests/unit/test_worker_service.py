"""How a worker ends: what still runs has its time, also at the end of the interpreter."""

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from sqr_jobs.adapters.bounded import bounded
from sqr_jobs.service import WorkerService
from tests.servers.ports import wait_until

_ROOT = Path(__file__).parents[2]


class _Part:
    """Any part of a worker; it remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda: self.told.append(name)


def _service(processor: _Part, *, grace_s: float) -> WorkerService:
    part = cast("Any", _Part())
    return WorkerService(
        processor=cast("Any", processor),
        producer=part,
        leases=part,
        maintenance=part,
        grace_s=grace_s,
        serves="",
    )


def test_attempts_are_stopped_when_their_time_is_over() -> None:
    """So that another worker has their jobs at once."""
    processor = _Part()
    service = _service(processor, grace_s=0.1)
    service.start()
    service.drain()
    service.drain()
    wait_until(lambda: "abort" in processor.told, seconds=5, what="the abort")
    assert processor.told == ["drain", "abort"]
    service.stop()


def test_nothing_is_stopped_before_and_no_thread_is_left(caplog: pytest.LogCaptureFixture) -> None:
    """Attempts that end in time end well."""
    caplog.set_level(logging.INFO, "sqr_jobs")
    before = set(threading.enumerate())
    processor = _Part()
    service = _service(processor, grace_s=30)
    service.start()
    service.drain()
    service.stop()
    wait_until(lambda: set(threading.enumerate()) <= before, seconds=5, what="the end of all threads")
    assert processor.told == ["drain"]
    assert "draining: running attempts have 25.0 s to end" in caplog.messages


_AT_EXIT = """
import atexit
from sqr_jobs.adapters.bounded import bounded
from tests.unit.test_worker_service import _Part, _service

processor = _Part()
service = _service(processor, grace_s=30)

def end():
    service.drain()
    print(processor.told, bounded(lambda: "stored", left_s=lambda: 5, name="sqr-jobs-s3"))

atexit.register(end)
service.start()
"""


def test_attempts_have_their_time_at_the_end_of_the_interpreter() -> None:
    """From Python 3.12 on no thread can be started then: all were aborted, whatever the log said."""
    answer = subprocess.run(
        [sys.executable, "-c", _AT_EXIT],
        cwd=_ROOT,
        env={**os.environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (answer.stdout, answer.stderr) == ("['drain'] stored\n", "")


def test_a_call_is_made_without_its_thread_where_none_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that is being stored while the process ends is worth more than the bound."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert bounded(lambda: "stored", left_s=lambda: 5, name="sqr-jobs-s3") == "stored"
