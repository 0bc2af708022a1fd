"""How the screening report looks: logo, cover, tiles, marks, grids and tables.

It knows ReportLab, and of screening only what results there are. Templates import it where they draw, so
that a web process that merely registers them never loads ReportLab.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from reportlab.lib.colors import Color, HexColor, white
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import CondPageBreak, Flowable, KeepTogether, Table

from sqr_jobs.demo.people import Result
from sqr_jobs.documents.text import BOLD, REGULAR, Paragraph, clean, style

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

__all__ = ["Cover", "Mark", "Tiles", "block", "draw_logo", "grid", "look", "notes", "rule", "table"]

_Pairs = Sequence[tuple[str, str]]
_Margins = tuple[float, float, float, float]

_NAVY, _GREY, _PALE, _HAIRLINE = (HexColor(rgb) for rgb in (0x14304D, 0x616E7C, 0xF3F6F8, 0xD5DCE3))
_TEAL, _BRIGHT = HexColor(0x23857A), HexColor(0x45B8A8)
_COLOURS = dict(zip(Result, (HexColor(rgb) for rgb in (0x2F855A, 0xC26A00, 0x6B7885)), strict=True))
_LABELLED = Markup('<font size="7.5" color="{}">{}</font><br/>{}')
_LONG_NAME = 60  # characters; beyond, a name would take more than two lines of large type


@functools.cache
def look(name: str) -> ParagraphStyle:
    """Return a style: heading, cell, small, head, cover-title, cover-name, cover-detail; else `KeyError`."""
    body = style("body")  # registers the fonts
    font, size, leading, colour = {
        "heading": (BOLD, 12.5, 17, _NAVY),
        "cell": (REGULAR, 9.5, 13, body.textColor),
        "small": (REGULAR, 8.5, 12.5, body.textColor),
        "head": (BOLD, 8.5, 12, _NAVY),
        "cover-title": (BOLD, 28, 36, white),
        "cover-name": (REGULAR, 15, 21, white),
        "cover-detail": (REGULAR, 9.5, 13, white),
    }[name]
    made = ParagraphStyle(name, fontName=font, fontSize=size, leading=leading, textColor=colour)
    if name == "heading":
        made.spaceBefore, made.spaceAfter = 18, 6
    return made


class Cover(Flowable):
    """The head of the first page: a dark band from edge to edge, as high as its text needs."""

    def __init__(self, *, brand: str, title: str, name: str, details: _Pairs, margins: _Margins) -> None:
        """Take the texts, and the page's margins, over which the band reaches: top, right, bottom, left."""
        super().__init__()
        self._brand, self._margins = brand, margins
        name_look = look("cover-detail" if len(name) > _LONG_NAME else "cover-name")
        texts = [Paragraph(_LABELLED.format("#B4C6D6", *detail), look("cover-detail")) for detail in details]
        columns = _columns(texts, len(texts))
        self._parts = Paragraph(title, look("cover-title")), Paragraph(name, name_look), columns

    def wrap(self, aW: float, aH: float) -> tuple[float, float]:  # noqa: N803 - ReportLab's names
        """Measure the texts; the band takes the frame's width."""
        self._heights = [part.wrap(aW, aH)[1] for part in self._parts]
        self.width, self.height = aW, 34 + sum(self._heights) + 14 + 16
        return self.width, self.height

    def draw(self) -> None:
        """Draw the band, the brand and the texts."""
        canvas, (top, right, _, left) = self.canv, self._margins
        across = left + self.width + right
        canvas.setFillColor(_NAVY)
        canvas.rect(-left, 0, across, self.height + top, stroke=0, fill=1)
        canvas.setFillColor(_BRIGHT)
        canvas.rect(-left, -3, across, 3, stroke=0, fill=1)
        draw_logo(canvas, 0, self.height + 4, 34, on_dark=True)
        _write(canvas, 38, self.height + 17, self._brand, size=11, colour=white)
        y = self.height - 34
        for part, height, gap in zip(self._parts, self._heights, (0, 0, 14), strict=True):
            y -= height + gap
            part.drawOn(canvas, 0, y)
        rule(canvas, 0, y + self._heights[-1] + 6, self.width, _GREY)


class Tiles(Flowable):
    """A row of tiles, the overall result and how many checks came to each, and a bar of their proportions."""

    def __init__(self, overall: tuple[Result, str], counts: Mapping[Result, int]) -> None:
        super().__init__()
        self._overall, self._counts, self.height, self.spaceAfter = overall, counts, 66, 7

    def wrap(self, aW: float, aH: float) -> tuple[float, float]:  # noqa: ARG002, N803 - ReportLab's names
        """Take the frame's width."""
        self.width = aW
        return aW, self.height

    def draw(self) -> None:
        """Draw the tiles, then the bar."""
        canvas, (worst, verdict) = self.canv, self._overall
        tiles = [(worst, "Overall result", verdict)]
        tiles += [(result, result, str(count)) for result, count in self._counts.items()]
        x, unit = 0.0, (self.width + 8) / (len(tiles) + 1)  # 8 points between the tiles, the first is double
        for result, label, figure in tiles:
            width = (2 if x == 0 else 1) * unit
            canvas.setFillColor(_PALE)
            canvas.rect(x, 14, width - 8, 52, stroke=0, fill=1)
            canvas.setFillColor(_COLOURS[result])
            canvas.rect(x, 14, 3, 52, stroke=0, fill=1)
            _write(canvas, x + 14, 50, label, font=REGULAR, size=8, colour=_GREY)
            _write(canvas, x + 14, 25, figure, size=19, colour=_COLOURS[result])
            x += width
        x, unit = 0.0, (self.width + 2) / sum(self._counts.values())
        for result, count in self._counts.items():
            if count:
                canvas.setFillColor(_COLOURS[result])
                canvas.rect(x, 2, unit * count - 2, 5, stroke=0, fill=1)
                x += unit * count


class Mark(Flowable):
    """A result as a coloured dot and its word; the dot's shape says the same as its colour."""

    def __init__(self, result: Result) -> None:
        super().__init__()
        self._result, self.width, self.height, self.spaceAfter = result, 70, 11, 3

    def draw(self) -> None:
        """Draw a tick for clear, an exclamation mark for review, a ring for not done."""
        canvas, colour = self.canv, _COLOURS[self._result]
        canvas.setFillColor(colour)
        canvas.setStrokeColor(colour)
        canvas.setLineWidth(1.2)
        canvas.circle(4.5, 6.2, 3.9, stroke=1, fill=int(self._result is not Result.NOT_DONE))
        if self._result is Result.CLEAR:
            _draw_tick(canvas, 4.5, 6.2, 2.1)
        elif self._result is Result.REVIEW:
            canvas.setStrokeColor(white)
            canvas.line(4.5, 5.9, 4.5, 8.9)
            canvas.line(4.5, 3.6, 4.5, 4.8)
        _write(canvas, 13, 3.1, self._result, size=9, colour=colour)


def block(heading: str, *body: Flowable) -> KeepTogether:
    """Set content under a heading, on one page."""
    return KeepTogether([Paragraph(heading, look("heading")), *body])


def grid(pairs: _Pairs, columns: int = 3) -> Table:
    """Set label above value, with hairlines between the rows."""
    cells = [Paragraph(_LABELLED.format("#616E7C", *pair), look("cell")) for pair in pairs]
    top = ("LINEABOVE", (0, 0), (-1, 0), 0.75, _NAVY)
    return _columns(cells, columns, top, ("LINEBELOW", (0, 0), (-1, -1), 0.5, _HAIRLINE))


def notes(texts: Iterable[tuple[str | Mark, str]], columns: int) -> Table:
    """Set short texts under their headings or marks, side by side."""
    cells = [
        [Paragraph(head, look("head")) if isinstance(head, str) else head, Paragraph(text, look("small"))]
        for head, text in texts
    ]
    return _columns(cells, columns)


def table(
    heading: str, head: Sequence[str], rows: Iterable[Sequence[str | Flowable]], shares: Sequence[float]
) -> Iterator[Flowable]:
    """Set rows under a head that stands again on each page; `shares` are the columns' widths in per cent."""
    yield CondPageBreak(120)  # room for the heading and the first rows
    yield Paragraph(heading, look("heading"))
    cells = [[Paragraph(c, look("cell")) if isinstance(c, str) else c for c in row] for row in rows]
    made = _table(
        [[Paragraph(text, look("head")) for text in head], *cells],
        shares,
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("LINEABOVE", (0, 0), (-1, 0), 0.75, _NAVY),
        ("LINEBELOW", (0, 0), (-1, -1), 0.5, _HAIRLINE),
    )
    made.repeatRows = 1
    yield made


def _columns(cells: Sequence[Any], columns: int, *style: Any) -> Table:
    padded = [*cells, *([""] * (-len(cells) % columns))]
    rows = [padded[start : start + columns] for start in range(0, len(padded), columns)]
    return _table(rows, [100 / columns] * columns, *style)


def _table(rows: Sequence[list[Any]], shares: Sequence[float], *commands: Any) -> Table:
    whole = ((0, 0), (-1, -1))
    return Table(
        rows,
        colWidths=[f"{share}%" for share in shares],
        style=[
            ("FONTNAME", *whole, REGULAR),  # else a document names Helvetica, which is not embedded
            ("VALIGN", *whole, "TOP"),
            ("LEFTPADDING", *whole, 0),
            ("RIGHTPADDING", *whole, 14),
            ("TOPPADDING", *whole, 6),
            ("BOTTOMPADDING", *whole, 5),
            *commands,
        ],
    )


def rule(canvas: "Canvas", x: float, y: float, width: float, colour: Color = _HAIRLINE) -> None:
    """Draw a thin line to the right of (x, y)."""
    canvas.setStrokeColor(colour)
    canvas.setLineWidth(0.5)
    canvas.line(x, y, x + width, y)


def draw_logo(canvas: "Canvas", x: float, y: float, height: float, *, on_dark: bool = False) -> None:
    """Draw the logo, a shield with a tick, its lower left corner at (x, y), 0.84 times as wide as high."""
    canvas.saveState()
    canvas.translate(x, y)
    canvas.scale(height / 100, height / 100)
    for side, colour in ((-42, _BRIGHT if on_dark else _NAVY), (42, _TEAL)):
        half = canvas.beginPath()
        half.moveTo(42, 100)
        half.curveTo(42 + side / 3, 91, 42 + side * 2 / 3, 86, 42 + side, 85)
        half.lineTo(42 + side, 50)
        half.curveTo(42 + side, 26, 42 + side / 2, 9, 42, 0)
        half.close()
        canvas.setFillColor(colour)
        canvas.drawPath(half, stroke=0, fill=1)
    canvas.setLineWidth(9)
    _draw_tick(canvas, 42, 50, 22)
    canvas.restoreState()


def _write(
    canvas: "Canvas", x: float, y: float, text: str, *, size: float, colour: Color, font: str = BOLD
) -> None:
    canvas.setFillColor(colour)
    canvas.setFont(font, size)
    canvas.drawString(x, y, clean(text))


def _draw_tick(canvas: "Canvas", x: float, y: float, size: float) -> None:
    """Draw a white tick around (x, y)."""
    tick = canvas.beginPath()
    tick.moveTo(x - size, y)
    tick.lineTo(x - size * 0.25, y - size * 0.75)
    tick.lineTo(x + size, y + size * 0.75)
    canvas.setStrokeColor(white)
    canvas.drawPath(tick, stroke=1, fill=0)
