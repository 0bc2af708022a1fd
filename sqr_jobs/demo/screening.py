"""The demo's templates: a screening report on a person, plain (v1) and full (v2), from made-up data."""

import hashlib
import time
import unicodedata
from collections.abc import Iterator
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel

from sqr_jobs import Paragraph, ReportRequest, Template
from sqr_jobs.demo.people import Person, find_person

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas
    from reportlab.platypus import Flowable

    from sqr_jobs.documents.page import Page

__all__ = ["Check", "Result", "ScreenedPerson", "ScreeningData", "ScreeningV1", "ScreeningV2", "Section"]

_BRAND = "SQR Screening"
_SLOW_S = 8
_MONTHS = "January February March April May June July August September October November December".split()
_CHECKS = (
    ("Identity document", "Chip read, security features examined", "Document reader"),
    ("Portrait", "Document compared with a live photograph", "Document reader"),
    ("Address", "Two independent records compared", "Postal register"),
    ("Right to work", "Share code confirmed online", "Immigration service"),
    ("Sanctions lists", "Four lists, with aliases and spellings", "Consolidated lists"),
    ("Public office", "Politically exposed persons and relatives", "Officials register"),
    ("Adverse media", "Press of the last seven years", "Press archive"),
    ("Criminal record", "Basic level, unspent convictions", "Disclosure service"),
    ("Credit history", "Insolvencies and judgments of six years", "Credit register"),
    ("Directorships", "Current, former and disqualified", "Company register"),
    ("Employment, latest", "Dates, role and reason for leaving", "Former employer"),
    ("Employment, earlier", "Dates and role, five years back", "Former employers"),
    ("Education", "Highest qualification named", "Awarding body"),
    ("Driving licence", "Categories, points and validity", "Licensing office"),
)
_NOTES = (
    (
        "How the overall result comes about",
        "It is “Review needed” as soon as one check is to be reviewed, “Incomplete” while one is not done, and "
        "“All clear” otherwise. It is a summary, never a recommendation for or against a person.",
    ),
    (
        "Sources",
        "Each check names the register, body or person that answered. We report what the source said on the "
        "day of the check; later changes at the source are not followed up.",
    ),
    (
        "Data protection",
        "This report holds personal data. Use it for the purpose it was asked for, share it with no one who "
        "does not need it, and delete it when the decision is made. The person may ask for a copy.",
    ),
    (
        "Sample",
        "Everything in this report is made up for a demonstration: the person, the employers, the referees and "
        "all results. No register was asked.",
    ),
)


class Result(StrEnum):
    """What a check came to."""

    CLEAR = "Clear"
    REVIEW = "Review"
    NOT_DONE = "Not done"


class ScreenedPerson(BaseModel):
    """The person that the report is about; `full_name` is the name as its bearer writes it."""

    user_id: str
    given_name: str
    family_name: str
    full_name: str


class Section(BaseModel):
    """Facts under a heading, as pairs of label and value."""

    title: str
    pairs: list[tuple[str, str]]


class Check(BaseModel):
    """One check: what was looked at and where. `done_on` is None exactly where it is not done."""

    name: str
    scope: str
    source: str
    result: Result
    done_on: date | None


class ScreeningData(BaseModel):
    """All that a screening report shows."""

    reference: str
    created_on: date
    requested_by: str
    person: ScreenedPerson
    sections: list[Section]
    checks: list[Check]

    def named(self, result: Result) -> list[str]:
        """Name the checks that came to this result."""
        return [check.name for check in self.checks if check.result is result]

    def overall(self) -> tuple[Result, str]:
        """Judge the screening as a whole: the worst result, and what to call it."""
        if self.named(Result.REVIEW):
            return Result.REVIEW, "Review needed"
        return (Result.NOT_DONE, "Incomplete") if self.named(Result.NOT_DONE) else (Result.CLEAR, "All clear")

    def summary(self) -> str:
        """Say in up to three sentences what was found."""
        sentences = [f"{len(self.named(Result.CLEAR))} of {len(self.checks)} checks are clear."]
        for lead, result in (("To review", Result.REVIEW), ("Not done yet", Result.NOT_DONE)):
            if names := self.named(result):
                sentences.append(f"{lead}: {'; '.join(names)}.")
        return " ".join(sentences)


class _Screening:
    """What the versions share: the data, and what the document says of itself."""

    author = _BRAND

    def load(self, request: ReportRequest) -> ScreeningData:
        """Make up the person's data, within 8 seconds for a slow one. Raises `LookupError`."""
        person = find_person(request.user_id)
        if person is None:
            raise LookupError("There is no sample person with this id.")
        if person.note == "slow":
            time.sleep(_SLOW_S)
        return _sample(person, request)

    def title(self, data: ScreeningData) -> str:
        """Name the report and the person."""
        return f"Screening report: {data.person.full_name}"

    def subject(self, data: ScreeningData) -> str:
        """Tell the reference."""
        return f"Reference {data.reference}"


class ScreeningV1(_Screening, Template[ScreeningData], name="screening", version="v1"):
    """The plain report: facts, then checks, on two pages."""

    def flowables(self, data: ScreeningData) -> "Iterator[Flowable]":
        """Yield title, summary, sections and checks."""
        from sqr_jobs.demo import drawing  # noqa: PLC0415 - ReportLab stays out of the web process

        yield Paragraph("Screening report", "title")
        yield drawing.grid([("Person", data.person.full_name), *_details(data)])
        yield drawing.block("Summary", Paragraph(data.summary(), drawing.look("cell")))
        for section in data.sections:
            yield drawing.block(section.title, drawing.grid(section.pairs))
        yield Paragraph("Checks", drawing.look("heading"))
        rows = [
            [drawing.cell(text) for text in (check.name, check.result, _done_on(data, check))]
            for check in data.checks
        ]
        yield drawing.table(("Check", "Result", "Completed"), rows, shares=(56, 20, 24))


class ScreeningV2(_Screening, Template[ScreeningData], name="screening", version="v2"):
    """The full report on three pages: cover and summary, facts, checks, notes."""

    margins = (72, 48, 64, 48)

    def flowables(self, data: ScreeningData) -> "Iterator[Flowable]":
        """Yield cover, summary, sections, checks and notes."""
        from sqr_jobs.demo import drawing  # noqa: PLC0415 - ReportLab stays out of the web process

        top, right, _, left = self.margins
        name, bleed = data.person.full_name, (top, right, left)
        yield drawing.Cover(
            brand=_BRAND, title="Screening report", name=name, details=_details(data), bleed=bleed
        )
        yield drawing.block("Summary", drawing.Tiles(*data.overall(), {r: len(data.named(r)) for r in Result}))
        yield Paragraph(data.summary(), drawing.look("cell"))
        for section in data.sections:
            yield drawing.block(section.title, drawing.grid(section.pairs))
        yield Paragraph("Checks", drawing.look("heading"))
        rows = [
            [
                drawing.cell(check.name, check.scope),
                drawing.Mark(check.result),
                drawing.cell(_done_on(data, check)),
                drawing.cell(check.source),
            ]
            for check in data.checks
        ]
        yield drawing.table(("Check", "Result", "Completed", "Source"), rows, shares=(43, 16, 19, 22))
        yield drawing.block("Notes", drawing.legend(...), drawing.notes(_NOTES))
