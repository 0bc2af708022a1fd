"""The sample host with fault points: its factory, its two applications, and a template that can be struck."""

import contextlib
import ctypes
import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from pydantic import BaseModel

from sqr_jobs import (
    Caller,
    Paragraph,
    RateLimit,
    ReportJobs,
    ReportRequest,
    Settings,
    Template,
    User,
    build_report_jobs,
)
from tests.host import mounted
from tests.host.people import person
from tests.matrix.orders import FOLDER, await_runner, due, tell_clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI
    from flask import Flask
    from reportlab.platypus import Flowable

__all__ = ["CLOCK", "FEW", "REVOKED", "fastapi_app", "flask_app", "report_jobs"]

FEW = RateLimit(requests=2, window_s=600)
"""What an org whose name starts with `few` may ask for."""
REVOKED = "revoked"
"""The folder, below that of the orders, in which a file named after a user takes the right to them away."""
CLOCK = "SQR_TEST_CLOCK_OFFSET_S"
"""By how many seconds the wall clock of a process is wrong."""

_RESERVED_MS = 3_000


class People:
    """Everyone exists; a test may take the right to a person away."""

    def find(self, user_id: str) -> User | None:
        """Know everyone."""
        return person(user_id)

    def may_report(self, caller: Caller, user: User) -> bool:
        """Look at the disk each time, as the host's own data would be."""
        return not (Path(os.environ[FOLDER]) / REVOKED / user.user_id).exists()


class ReportData(BaseModel):
    """The report's data, and what is to go wrong in the layout."""

    name: str
    fault: str | None = None
    worker: int = 0
    """The process that the child renders for; between the two is the child's guardian."""


class Report(Template[ReportData], name="matrix", version="v1", language="en"):
    """A short report, whose rendering is phase E."""

    def load(self, request: ReportRequest) -> ReportData:
        user = person(request.user_id)
        worker = psutil.Process().parents()[1].pid
        order = due("E", request.job_id, pid=worker)
        if order is not None and order.action == "ask":
            await_runner(order)
        if order is not None and order.action == "full":
            _fill_disk()
        name = f"{user.given_name} {user.family_name}"
        return ReportData(name=name, fault=order.action if order is not None else None, worker=worker)

    def flowables(self, data: ReportData) -> "Iterator[Flowable]":
        yield Paragraph(f"Report on {data.name}", "title")
        _go_wrong(data.fault, data.worker)
        yield Paragraph(f"This is about {data.name}.")

    def title(self, data: ReportData) -> str:
        return f"Report on {data.name}"


def report_jobs() -> ReportJobs:
    """Build the service from `SQR_JOBS_*`, with fault points wherever it is no render child."""
    _set_clock()
    reports = build_report_jobs(
        Settings(),
        users=People(),
        templates=[Report()],
        choose_rate_limit=lambda caller: FEW if caller.org_id.startswith("few") else None,
    )
    if "sqr_jobs.documents.child" not in sys.orig_argv:
        from sqr_jobs.adapters.sql import idempotency
        from sqr_jobs.wiring import system_of
        from tests.matrix.points import wrap

        idempotency.RESERVED_MS = _RESERVED_MS  # scaled down, like every other time
        wrap(system_of(reports))
    return reports


def fastapi_app() -> "FastAPI":
    """Mount it in FastAPI."""
    return mounted.in_fastapi(report_jobs)


def flask_app() -> "Flask":
    """Mount it in Flask."""
    return mounted.in_flask(report_jobs)


def _set_clock() -> None:
    offset_s = float(os.environ.get(CLOCK, "0"))
    if offset_s:
        import time

        import time_machine

        time_machine.travel(time.time() + offset_s, tick=True).start()
        tell_clock()


def _fill_disk() -> None:
    """Let what this attempt writes meet a device that has no space; the next one has its file again."""
    given = int(sys.argv[1])
    full = os.open("/dev/full", os.O_RDWR)
    for number in (int(name) for name in os.listdir("/proc/self/fd")):  # noqa: PTH208 - names, no paths
        with contextlib.suppress(OSError):
            if number != given and os.path.samestat(os.fstat(number), os.fstat(given)):
                os.dup2(full, number, inheritable=False)
    os.close(full)


def _go_wrong(fault: str | None, worker: int) -> None:
    match fault:
        case "spin":  # in C, holding the GIL
            re.match(r"(a+)+$", "a" * 64 + "b")
        case "hang":  # in C, the GIL let go
            ctypes.CDLL(None).pause()
        case "segv":
            ctypes.string_at(0)
        case "kill child":
            os.kill(os.getpid(), signal.SIGKILL)
        case "memory":
            hoard = []
            while True:
                hoard.append(bytearray(1 << 24))
        case "kill all":
            os.killpg(os.getpgid(worker), signal.SIGKILL)
        case "end all":
            os.killpg(os.getpgid(worker), signal.SIGTERM)
        case "stop":
            os.kill(worker, signal.SIGSTOP)
