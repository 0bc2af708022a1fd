"""Hosts that are wrong in ways which only a render child can survive."""

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from sqr_jobs import Paragraph, ReportJobs, ReportRequest, Settings, Template, build_report_jobs
from tests.host.people import People

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reportlab.platypus import Flowable

__all__ = ["dies", "hangs", "name", "raises", "report_jobs", "returns_nothing"]

name = "no function"


class Wild(BaseModel):
    """What to do."""

    what: str


class WildReport(Template[Wild], name="report", version="v1"):
    """Does what the user id says."""

    def load(self, request: ReportRequest) -> Wild:
        """Start a process of its own, where that is asked for."""
        if request.user_id == "U-FAMILY":
            grandchild = subprocess.Popen(["sleep", "300"])
            Path(os.environ["SQR_TEST_SIGNALS"], "grandchild").write_text(str(grandchild.pid))
        if request.user_id == "U-BEGUN":
            Path(os.environ["SQR_TEST_SIGNALS"], "begun").touch()
        if request.user_id == "U-HOARD":
            raise MemoryError
        return Wild(what=request.user_id)

    def flowables(self, data: Wild) -> "Iterator[Flowable]":
        """Hang, or fail with odd texts."""
        yield Paragraph("before")
        match data.what:
            case "U-FAMILY" | "U-BEGUN":
                _compute_for_ever()
            case "U-SURROGATE":
                raise ValueError("lone \ud800 surrogate, NUL \x00")
            case "U-WORDY":
                raise ValueError("\U0001f642" * 500_000)


def report_jobs() -> ReportJobs:
    """Build the wild service."""
    return build_report_jobs(Settings(), users=People(), templates=[WildReport()])


def raises() -> Any:
    """Fail to be built."""
    raise LookupError("no such setting")


def returns_nothing() -> Any:
    """Forget the return."""


def dies() -> Any:
    """Take the process along."""
    os._exit(7)


def hangs() -> Any:
    """Never return."""
    _compute_for_ever()


def _compute_for_ever() -> None:
    re.match(r"(a+)+$", "a" * 64 + "b")
