"""The library with two clocks in it: when a message was sent, and when the actor began to run.

`tests.bench.observed:fastapi_app` is the web process, `dramatiq tests.bench.observed:broker` the worker. Both
write lines `what job nanoseconds` to the file that `SQR_BENCH_EVENTS` names, by the system's monotonic clock,
which all processes share.
"""

import os
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import sqr_jobs.actors
from sqr_jobs import ReportJobs
from sqr_jobs.wiring import system_of
from tests.bench import host

if TYPE_CHECKING:
    from fastapi import FastAPI

    from sqr_jobs.ports import JobQueue

__all__ = ["fastapi_app", "report_jobs"]


class _ObservedQueue:
    """Notes each ring before it is sent; all else is the queue's own."""

    def __init__(self, queue: "JobQueue") -> None:
        self._queue = queue

    def ring(self, job_id: str) -> None:
        _note("sent", job_id)
        self._queue.ring(job_id)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)


def report_jobs() -> ReportJobs:
    """Build the host's service, observed."""
    reports = host.report_jobs()
    system = system_of(reports)
    system.queue = _ObservedQueue(system.queue)
    sqr_jobs.actors.declare_actors = partial(_declare, sqr_jobs.actors.declare_actors)
    return reports


def fastapi_app() -> "FastAPI":
    """Mount it in FastAPI."""
    from fastapi import FastAPI

    from sqr_jobs_fastapi import create_router

    app = FastAPI()
    app.include_router(create_router(report_jobs))
    return app


def _declare(declare: Callable[..., None], broker: Any, process: Callable[[str | None], bool]) -> None:
    def observed(job_id: str | None) -> bool:
        _note("running", job_id)
        return process(job_id)

    declare(broker, observed)


def _note(what: str, job_id: str | None) -> None:
    line = f"{what} {job_id} {time.monotonic_ns()}\n"
    with open(os.environ["SQR_BENCH_EVENTS"], "a", encoding="ascii") as events:  # noqa: PTH123
        events.write(line)


def __getattr__(name: str) -> Any:
    if name != "broker":
        raise AttributeError(name)
    return system_of(report_jobs()).worker_broker()
