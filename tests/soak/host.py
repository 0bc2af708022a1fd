"""The soak's host: a template that goes wrong as the person's id says, and quotas for a few orgs."""

import ctypes
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

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
from tests.soak.kinds import Kind, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI
    from flask import Flask
    from reportlab.platypus import Flowable

__all__ = ["FEW", "fastapi_app", "flask_app", "report_jobs"]

FEW = RateLimit(requests=5, window_s=3_600)
"""What an org whose name starts with `few` may ask for."""

_ROWS, _ROWS_OF_A_TABLE = 3_000, 40
_WAIT_S = 60
_RESERVED_MS = 3_000


class People:
    """Everyone exists, and may be reported on."""

    def find(self, user_id: str) -> User | None:
        """Know everyone."""
        return person(user_id)

    def may_report(self, caller: Caller, user: User) -> bool:
        """Permit everything."""
        return True


class ReportData(BaseModel):
    """The report's data."""

    name: str
    kind: Kind


class Report(Template[ReportData], name="soak", version="v1", language="en"):
    """A report on a person."""

    def load(self, request: ReportRequest) -> ReportData:
        user, kind = person(request.user_id), kind_of(request.user_id)
        if kind is Kind.WAITING:
            time.sleep(_WAIT_S)  # as on a source that does not answer
        return ReportData(name=f"{user.given_name} {user.family_name}", kind=kind)

    def flowables(self, data: ReportData) -> "Iterator[Flowable]":
        yield Paragraph(f"Report on {data.name}", "title")
        _go_wrong(data)
        if data.kind is Kind.HEAVY:
            yield from _tables()
        yield Paragraph(f"This is about {data.name}.")

    def title(self, data: ReportData) -> str:
        return f"Report on {data.name}"


def report_jobs() -> ReportJobs:
    """Build the service from `SQR_JOBS_*`."""
    if "sqr_jobs.documents.child" not in sys.orig_argv:
        from sqr_jobs.adapters.sql import idempotency

        idempotency.RESERVED_MS = _RESERVED_MS  # scaled down, like every other time
    return build_report_jobs(
        Settings(),
        users=People(),
        templates=[Report()],
        choose_rate_limit=lambda caller: FEW if caller.org_id.startswith("few") else None,
    )


def fastapi_app() -> "FastAPI":
    """Mount it in FastAPI."""
    return mounted.in_fastapi(report_jobs)


def flask_app() -> "Flask":
    """Mount it in Flask."""
    return mounted.in_flask(report_jobs)


def _tables() -> "Iterator[Flowable]":
    """Yield many small tables: one large one would be measured again at each page."""
    from reportlab.platypus import Table

    for first in range(0, _ROWS, _ROWS_OF_A_TABLE):
        rows = [
            [f"Entry {number}", "Register of Companies", "Confirmed"]
            for number in range(first, first + _ROWS_OF_A_TABLE)
        ]
        yield Table(rows, colWidths=[100, 200, 100])


def _go_wrong(data: ReportData) -> None:
    match data.kind:
        case Kind.HANGING:  # in C, holding the GIL, and idle: spinning would take the others' processors
            ctypes.PyDLL(None).pause()
        case Kind.SEGFAULT:
            ctypes.string_at(0)
        case Kind.KILLED:
            os.kill(os.getpid(), signal.SIGKILL)
        case Kind.MEMORY:
            hoard = []
            while True:
                hoard.append(bytearray(1 << 24))
        case Kind.BROKEN:
            raise ValueError(f"could not lay out {data.name}")
