"""The report that everybody here makes: three pages on a person, the same flowables for all."""

import random
from typing import TYPE_CHECKING

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reportlab.platypus import Flowable

__all__ = ["Check", "Content", "content_of", "flowables"]

_SOURCES = ("Register of Companies", "Land & Court Registry", "Bureau de Crédit Zürich", "Former employer")
_WORDS = (
    *(
        "register",
        "answer",
        "person",
        "employer",
        "certificate",
        "period",
        "address",
        "document",
        "reference",
    ),
    *(
        "confirmed",
        "shown",
        "compared",
        "dated",
        "signed",
        "not",
        "with",
        "the",
        "of",
        "and",
        "in",
        "a",
        "to",
    ),
)
_CHECKS, _SECTIONS, _PARAGRAPHS = 28, 5, 3


class Check(BaseModel):
    """One line of the table."""

    name: str
    result: str
    done_on: str
    source: str


class Content(BaseModel):
    """All that the report shows."""

    title: str
    name: str
    sections: list[tuple[str, list[str]]]
    checks: list[Check]


def content_of(user_id: str) -> Content:
    """Make up a person's data, always the same for a user id."""
    chance = random.Random(user_id)

    def sentence(words: int) -> str:
        return " ".join(chance.choices(_WORDS, k=words)).capitalize() + "."

    return Content(
        title=f"Report on {user_id}",
        name=f"Jo Bloggs-Österberg <{user_id}>",
        sections=[
            (f"Section {number}", [" ".join(sentence(14) for _ in range(5)) for _ in range(_PARAGRAPHS)])
            for number in range(_SECTIONS)
        ],
        checks=[
            Check(
                name=f"{sentence(3)} {number}",
                result=chance.choice(("Clear", "Review", "Not done")),
                done_on=f"{number % 28 + 1} May 2026",
                source=chance.choice(_SOURCES),
            )
            for number in range(_CHECKS)
        ],
    )


def flowables(content: Content, paragraph: "Callable[[str, str], Flowable]") -> "Iterator[Flowable]":
    """Yield the pieces; `paragraph` makes one of plain text and a style's name, each in its own way."""
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import Table, TableStyle

    yield paragraph(content.title, "title")
    yield paragraph(content.name, "subheading")
    for heading, texts in content.sections:
        yield paragraph(heading, "heading")
        for text in texts:
            yield paragraph(text, "body")
    yield paragraph("Checks", "heading")
    rows = [[paragraph(text, "cell") for text in ("Check", "Result", "Completed", "Source")]]
    rows += [
        [paragraph(text, "cell") for text in (check.name, check.result, check.done_on, check.source)]
        for check in content.checks
    ]
    look = TableStyle(
        [("LINEBELOW", (0, 0), (-1, -1), 0.25, HexColor(0xCBD2D9)), ("VALIGN", (0, 0), (-1, -1), "TOP")]
    )
    yield Table(rows, colWidths=[190, 70, 90, 133], repeatRows=1, style=look)
