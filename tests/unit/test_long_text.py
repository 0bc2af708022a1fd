"""Text of many pages stands where a paragraph of ReportLab's would, line for line."""

import io
import re
from collections.abc import Callable

import pytest
from PIL import Image as PillowImage
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import (
    BalancedColumns,
    Flowable,
    Image,
    ImageAndFlowables,
    Indenter,
    KeepTogether,
    ListFlowable,
    ListItem,
    Spacer,
    Table,
)

from sqr_jobs import Paragraph
from sqr_jobs.documents.layout import lay_out
from sqr_jobs.documents.text import style
from tests.unit.pdf_text import lines_of, pages_of
from tests.unit.samples import Nothing, template_of

_Lines = list[tuple[int, float, float, str]]
_WORDS = " ".join(f"word{number}" for number in range(1_500))
_TEXTS = {
    "words": _WORDS,
    "lines": "\n".join(f"line {number}" for number in range(300)),
    "paragraphs": "\n\n".join(f"{number} " + "word " * (number * 7 % 90) for number in range(120)),
    "blank lines": "\n".join(f"line {number}" + "\n \n" * (number % 3) for number in range(150)),
    "a paragraph and words": "two\n\n" + _WORDS,
}
_TOP = [("VALIGN", (0, 0), (-1, -1), "TOP")]
_AROUND: dict[str, Callable[[Flowable], list[Flowable]]] = {
    "a page": lambda text: [text],
    "half a page": lambda text: [Spacer(1, 400), text],
    "a row that goes on": lambda text: [_row(text)],
    "a row that goes on below others": lambda text: [Spacer(1, 333), _row(text)],
    "a row of texts from the top": lambda text: [_row(text, style=_TOP)],
    "a row that keeps its distance": lambda text: [_row(text, style=[("PADDING", (0, 0), (-1, -1), 30)])],
    "a group": lambda text: [Spacer(1, 200), KeepTogether([Paragraph("h"), text])],
    "a list": lambda text: [ListFlowable([ListItem(Paragraph("first")), ListItem(text)])],
    "an indented part": lambda text: [Indenter(40, 40), text, Indenter(-40, -40)],
}

_AROUND_OTHERWISE: dict[str, Callable[[Flowable], list[Flowable]]] = {
    "balanced columns": lambda text: [BalancedColumns([Paragraph("h"), text], nCols=2)],
    "text around a picture": lambda text: [ImageAndFlowables(_picture(), [text])],
}
"""What asks whether it holds ReportLab's own class, and rounds heights if so."""


def _picture() -> Image:
    file = io.BytesIO()
    PillowImage.new("RGB", (4, 4), "red").save(file, "PNG")
    return Image(file, 80, 90)


def _row(text: Flowable, **how: object) -> Table:
    return Table([[Paragraph("name", "cell"), text, "x"]], colWidths=[90, 300, 30], splitInRow=1, **how)


def _lines(
    text: str,
    around: Callable[[Flowable], list[Flowable]],
    look: ParagraphStyle,
    page_size: tuple[float, float],
) -> _Lines:
    content = [Paragraph("before"), *around(Paragraph(text, look)), Paragraph("after")]
    return lines_of(
        lay_out(template_of(lambda: content, page_size=page_size, draw_page=lambda *_: None), Nothing())
    )


def _words(lines: _Lines) -> list[str]:
    return sorted(" ".join(text for *_place, text in lines).split())


def _in_pieces_and_whole(
    text: str,
    around: Callable[[Flowable], list[Flowable]],
    look: ParagraphStyle,
    page_size: tuple[float, float] = (595, 842),
) -> tuple[_Lines, _Lines]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sqr_jobs.documents.text._LONG", 100)
        patch.setattr("sqr_jobs.documents.text._MANY_LINES", 100)
        in_pieces = _lines(text, around, look, page_size)
        patch.setattr("sqr_jobs.documents.text._LONG", 1_000_000)
        patch.setattr("sqr_jobs.documents.text._MANY_LINES", 1_000_000)
        return in_pieces, _lines(text, around, look, page_size)


@pytest.mark.parametrize("around", _AROUND.values(), ids=_AROUND)
@pytest.mark.parametrize("text", _TEXTS.values(), ids=_TEXTS)
def test_each_line_of_long_text_stands_where_a_paragraphs_would(
    text: str, around: Callable[[Flowable], list[Flowable]]
) -> None:
    """A cell that is split takes two parts of what it holds and drops a third: most of the text was lost."""
    in_pieces, whole = _in_pieces_and_whole(text, around, style("cell"))
    assert [text for *_place, text in in_pieces] == [text for *_place, text in whole]
    assert all(64 < height < 770 for _page, _left, height, _text in in_pieces)
    if not re.search(r"\n\s*\n", text):  # a page may begin with a blank line less
        assert in_pieces == whole


@pytest.mark.parametrize("around", _AROUND_OTHERWISE.values(), ids=_AROUND_OTHERWISE)
@pytest.mark.parametrize("text", _TEXTS.values(), ids=_TEXTS)
def test_no_word_of_long_text_is_lost_wherever_it_stands(
    text: str, around: Callable[[Flowable], list[Flowable]]
) -> None:
    """Though lines may end elsewhere."""
    in_pieces, whole = _in_pieces_and_whole(text, around, style("cell"))
    assert _words(in_pieces) == _words(whole)
    assert len(_words(in_pieces)) >= len(text.split())


@pytest.mark.parametrize("step", [1, 2, 3, 5, 7])
def test_blank_lines_of_long_text_stay_wherever_they_stand(step: int) -> None:
    """A piece that ends with one must not swallow it: paragraphs would run together here and there."""
    text = "".join(f"line {number}" + "\n" * (1 + number * step % 4) for number in range(120))
    in_pieces, whole = _in_pieces_and_whole(text, lambda flowable: [flowable], style("body"), (595, 2_400))
    assert [line for line in in_pieces if line[0] == 1] == [line for line in whole if line[0] == 1]
    assert len(in_pieces) == len(whole) == 122


@pytest.mark.parametrize("wrap", ["CJK", "LTR", "RTL", None])
def test_no_letter_of_long_text_is_lost_however_its_lines_are_broken(wrap: str | None) -> None:
    """Lines that end within words keep blanks, which no one may count as letters."""
    text = " ".join(str(number) for number in range(6_000))
    document = lay_out(
        template_of(
            lambda: [Paragraph(text, ParagraphStyle("wrapped", style("body"), wordWrap=wrap))],
            draw_page=lambda *_: None,
        ),
        Nothing(),
    )
    assert re.sub(r"\s", "", "".join(pages_of(document))) == text.replace(" ", "")
