"""The sample host's factory and its template, which can go wrong in every way that a test needs."""

import ctypes
import os
import re
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from sqr_jobs import (
    Paragraph,
    ReportJobs,
    ReportRequest,
    Settings,
    Template,
    build_report_jobs,
)
from tests.host.people import People, person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reportlab.platypus import Flowable

__all__ = ["FACTORY", "KEY", "OddError", "Report", "ReportData", "people", "report_jobs"]

FACTORY = "tests.host.reports:report_jobs"
KEY = "a shared secret of the tests, long enough for HS256"

people = People()


class OddError(BaseException):
    """Not an Exception, takes two arguments, and can't be shown."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first, second)

    def __str__(self) -> str:
        raise RuntimeError("no text")


class ReportData(BaseModel):
    """The report's data."""

    user_id: str
    name: str
    paragraphs: int = 3


class Report(Template[ReportData], name="report", version="v1", language="en"):
    """Three paragraphs on a person; what the user id starts with goes wrong in its own way.

    A file named after the user id in the folder `SQR_TEST_SIGNALS`, where that is set, tells a test that
    the attempt has begun; the attempt of a `U-WAIT` goes on when `{user_id}.go` is there.
    """

    def load(self, request: ReportRequest) -> ReportData:
        user_id = request.user_id
        _tell(user_id, f"{request.job_id} {os.getpid()}\n")
        if user_id.startswith("U-NODATA"):
            raise ConnectionError(f"no data on {user_id}")
        if user_id.startswith("U-MISTAKE"):
            user_id.no_such_attribute  # type: ignore[attr-defined]  # noqa: B018
        if user_id.startswith("U-BADDATA"):
            return ReportData.model_validate({"user_id": user_id, "name": 3})
        user = person(user_id)
        return ReportData(user_id=user_id, name=f"{user.given_name} {user.family_name}")

    def flowables(self, data: ReportData) -> "Iterator[Flowable]":
        yield Paragraph(f"Report on {data.name}", "title")
        _go_wrong(data)
        if data.user_id == "U-GLYPHS":
            yield from _without_glyphs()
        for number in range(data.paragraphs):
            yield Paragraph(f"Paragraph {number} on {data.name} <b>not bold</b> & so on.")

    def title(self, data: ReportData) -> str:
        return f"Report on {data.name}"


def report_jobs() -> ReportJobs:
    """Build the service from `SQR_JOBS_*`."""
    return build_report_jobs(Settings(), users=people, templates=[Report()])


def _go_wrong(data: ReportData) -> None:  # noqa: C901 - one line for each way
    match data.user_id:
        case "U-RAISE":
            raise ValueError(f"could not lay out {data.name}")
        case "U-ODD":
            raise OddError("odd", "error")
        case "U-EXIT":
            raise SystemExit(3)
        case "U-HANG":  # in C, holding the GIL
            re.match(r"(a+)+$", "a" * 64 + "b")
        case "U-SEGV":
            ctypes.string_at(0)
        case "U-KILL":
            os.kill(os.getpid(), signal.SIGKILL)
        case "U-MEMORY":
            hoard = []
            while True:
                hoard.append(bytearray(1 << 24))
        case "U-LARGE":
            data.paragraphs = 400_000
        case "U-FILE":
            Path("/etc/hostname").read_text(encoding="utf-8")
        case "U-PRINT":
            print("a template may print", flush=True)  # noqa: T201
        case wait if wait.startswith("U-WAIT"):
            _wait_for(f"{wait}.go")


def _without_glyphs() -> "Iterator[Flowable]":
    """Draw characters in every way that ReportLab has, each in a font that lacks or has it."""
    from reportlab.graphics.shapes import Drawing, String
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.pdfbase.pdfmetrics import registerFont
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.platypus import Flowable, ListFlowable, Table
    from reportlab.platypus import Paragraph as Plain

    class Drawn(Flowable):
        def draw(self) -> None:
            self.canv.drawString(0, 0, "①")
            registerFont(TTFont("Vera", "Vera.ttf"))
            self.canv.setFont("Vera", 10)
            self.canv.drawCentredString(0, 0, "é☎")

    normal = getSampleStyleSheet()["Normal"]
    yield Paragraph("Age ≥ 18 and → ≥")
    yield Table([["✓"]])
    yield Plain("Greek β, arrow → and ж", normal)  # the first two are in fonts that stand in for Helvetica
    yield Plain("bullet", normal, bulletText="☐")
    yield ListFlowable([Plain("list", normal)], bulletType="bullet", start="⌘")
    drawing = Drawing(100, 20)
    drawing.add(String(0, 0, "─", fontName="Times-Roman"))
    yield drawing
    yield Drawn()


def _tell(name: str, text: str) -> None:
    folder = os.environ.get("SQR_TEST_SIGNALS")
    if folder:
        with (Path(folder) / name).open("a", encoding="utf-8") as file:
            file.write(text)


def _wait_for(name: str) -> None:
    path = Path(os.environ["SQR_TEST_SIGNALS"]) / name
    while not os.access(path, os.F_OK):
        time.sleep(0.01)
