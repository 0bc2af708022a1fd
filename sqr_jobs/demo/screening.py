"""The demo's templates: a screening report on a person, plain (v1) and full (v2), from made-up data."""

import hashlib
import time
from datetime import date
from typing import TYPE_CHECKING

from markupsafe import Markup
from pydantic import BaseModel

from sqr_jobs import Paragraph, ReportRequest, Template
from sqr_jobs.demo.people import Person, Result, checks_of, find_person, sections_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reportlab.pdfgen.canvas import Canvas
    from reportlab.platypus import Flowable

    from sqr_jobs.documents.page import Page

__all__ = ["Check", "ScreenedPerson", "ScreeningData", "ScreeningV1", "ScreeningV2", "Section"]

_BRAND = "SQR Screening"
_SLOW_S = 8
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_CHECK = Markup('<font name="NotoSans-Bold">{}</font><br/><font size="7.5" color="#616E7C">{}</font>')
_NOTES = {
    "Overall result": (
        "It is “Review needed” as soon as one check is to be reviewed, “Incomplete” while one is not done, "
        "and “All clear” otherwise. It is a summary, never advice for or against a person."
    ),
    "Sources": (
        "Each check names the register, body or person that answered. We report what it said on the day of "
        "the check; what changes there later is not followed up."
    ),
    "Data protection": (
        "This report holds personal data. Use it for the purpose it was asked for, show it to no one who "
        "does not need it, and delete it once the decision is made."
    ),
    "Sample": (
        "Everything in this report is made up for a demonstration: the person, the employers, the referees "
        "and all results. No register was asked."
    ),
}
_MEANINGS = {
    Result.CLEAR: "The source answered and there is nothing to report.",
    Result.REVIEW: "Someone should look at what the source said before a decision.",
    Result.NOT_DONE: "The source has not answered yet, or the person has not agreed to the check.",
}


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
        """Make up the person's data; for a slow person that takes 8 seconds. Raises `LookupError`."""
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
        yield Paragraph(data.person.full_name, "subheading")
        yield drawing.grid(_details(data), columns=4)
        yield drawing.block("Summary", Paragraph(data.summary(), drawing.look("cell")))
        for section in data.sections:
            yield drawing.block(section.title, drawing.grid(section.pairs))
        rows = [(check.name, check.result, _done_on(data, check)) for check in data.checks]
        yield from drawing.table("Checks", ("Check", "Result", "Completed"), rows, shares=(56, 20, 24))


class ScreeningV2(_Screening, Template[ScreeningData], name="screening", version="v2"):
    """The full report on three pages: cover and summary, facts, checks, notes."""

    margins = (72, 48, 64, 48)

    def flowables(self, data: ScreeningData) -> "Iterator[Flowable]":
        """Yield cover, summary, sections, checks and notes."""
        from sqr_jobs.demo import drawing  # noqa: PLC0415 - ReportLab stays out of the web process

        yield drawing.Cover(
            brand=_BRAND,
            title="Screening report",
            name=data.person.full_name,
            details=_details(data),
            margins=self.margins,
        )
        counts = {result: len(data.named(result)) for result in Result}
        yield drawing.block("Summary", drawing.Tiles(data.overall(), counts))
        yield Paragraph(data.summary(), drawing.look("cell"))
        for section in data.sections:
            yield drawing.block(section.title, drawing.grid(section.pairs))
        rows = [
            (
                _CHECK.format(check.name, check.scope),
                drawing.Mark(check.result),
                _done_on(data, check),
                check.source,
            )
            for check in data.checks
        ]
        yield from drawing.table(
            "Checks", ("Check", "Result", "Completed", "Source"), rows, shares=(41, 16, 21, 22)
        )
        marks = [(drawing.Mark(result), meaning) for result, meaning in _MEANINGS.items()]
        explained = drawing.notes(marks, columns=3), drawing.notes(_NOTES.items(), columns=2)
        yield drawing.block("How to read this report", *explained)

    def draw_page(self, canvas: "Canvas", page: "Page", data: ScreeningData) -> None:
        """Draw the foot of every page, and the head of all but the first, which has the cover."""
        from sqr_jobs.demo import drawing  # noqa: PLC0415 - ReportLab stays out of the web process

        width = page.width - page.left - page.right
        if page.number > 1:
            middle = page.height - page.top * 0.5  # of the line that the header stands on
            drawing.draw_logo(canvas, page.left - 20, middle - 4, 15)
            drawing.rule(canvas, page.left, middle - 10, width)
            page.header(canvas, left=self.title(data), right=data.reference)
        drawing.rule(canvas, page.left, page.bottom * 0.5 + 15, width)
        page.footer(canvas, left=f"{_BRAND} · Confidential", pages="Page {number} of {total}")


def _details(data: ScreeningData) -> list[tuple[str, str]]:
    return [
        ("Reference", data.reference),
        ("Date", _written(data.created_on)),
        ("Person's id", data.person.user_id),
        ("Requested by", data.requested_by),
    ]


def _done_on(data: ScreeningData, check: Check) -> str:
    """Write a check's date; a check that was done without one can't be shown, and the report fails."""
    if check.done_on is None and check.result is not Result.NOT_DONE:
        raise ValueError(f"{data.person.full_name}: the check {check.name!r} is done but has no date.")
    return "\N{EN DASH}" if check.done_on is None else _written(check.done_on)


def _written(value: str | date) -> str:
    """Write a date in English whatever the process's locale is; text stays as it is."""
    return value if isinstance(value, str) else f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def _sample(person: Person, request: ReportRequest) -> ScreeningData:
    """Derive all data from person and request, so that every attempt makes the same document."""
    today = request.created_at.date()
    return ScreeningData(
        reference=f"SR-{hashlib.sha256(request.job_id.encode()).hexdigest()[:8].upper()}",
        created_on=today,
        requested_by=request.org_id,
        person=ScreenedPerson.model_validate(person, from_attributes=True),
        sections=[
            Section(title=title, pairs=[(label, _written(value)) for label, value in pairs])
            for title, pairs in sections_of(person, today).items()
        ],
        checks=[Check.model_validate(check) for check in checks_of(person, today)],
    )
