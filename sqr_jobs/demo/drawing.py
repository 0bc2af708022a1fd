"""How the screening report looks: colours, logo, cover, tiles, grids and tables.

It knows ReportLab and nothing of screening. Templates import it where they draw, so that a web process
that only registers them never loads ReportLab.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from markupsafe import Markup
from reportlab.lib.colors import Color, HexColor, white
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import Flowable, KeepTogether, Table

from sqr_jobs.documents.text import BOLD, REGULAR, Paragraph, clean, style

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

__all__ = [
    "Cover",
    "Mark",
    "Tile",
    "Tiles",
    "Tone",
    "block",
    "draw_logo",
    "grid",
    "hairline",
    "legend",
    "look",
    "notes",
    "table",
]

Tone = Literal["good", "attention", "open", "neutral"]
"""What a colour says: nothing to report, look at this, not known yet, or nothing at all."""

_INK, _GREY, _NAVY = HexColor(0x1F2933), HexColor(0x616E7C), HexColor(0x14304D)
_TEAL, _BRIGHT, _MIST = HexColor(0x23857A), HexColor(0x45B8A8), HexColor(0xB4C6D6)
_PALE, _HAIRLINE = HexColor(0xF3F6F8), HexColor(0xD5DCE3)
_TONES: dict[Tone, Color] = {
    "good": HexColor(0x2F855A),
    "attention": HexColor(0xC26A00),
    "open": HexColor(0x6B7885),
    "neutral": _NAVY,
}
_LABELLED = Markup('<font size="7.5" color="#616E7C">{}</font><br/>{}')
_NOTE = Markup('<font name="NotoSans-Bold" color="#14304D">{}</font><br/>{}')


def look(name: str) -> ParagraphStyle:
    """Return a style of the report: heading, cell, small, head, cover-title, cover-name, cover-detail.

    Raises `KeyError` for any other name.
    """
    return _looks()[name]


def draw_logo(canvas: "Canvas", x: float, y: float, height: float, *, on_dark: bool = False) -> None:
    """Draw the logo, a shield with a tick, its lower left corner at (x, y), 0.84 times as wide as high."""
    canvas.saveState()
    canvas.translate(x, y)
    canvas.scale(height / 100, height / 100)
    for side, colour in ((-1, _BRIGHT if on_dark else _NAVY), (1, _TEAL)):
        half = canvas.beginPath()
        half.moveTo(42, 100)
        half.curveTo(42 + side * 14, 91, 42 + side * 28, 86, 42 + side * 42, 85)
        half.lineTo(42 + side * 42, 50)
        half.curveTo(42 + side * 42, 26, 42 + side * 22, 9, 42, 0)
        half.close()
        canvas.setFillColor(colour)
        canvas.drawPath(half, stroke=0, fill=1)
    canvas.setStrokeColor(white)
    canvas.setLineWidth(9)
    _draw_tick(canvas, 42, 50, 22)
    canvas.restoreState()


def hairline(canvas: "Canvas", x: float, y: float, width: float) -> None:
    """Draw a hairline to the right of (x, y)."""
    canvas.saveState()
    canvas.setStrokeColor(_HAIRLINE)
    canvas.setLineWidth(0.5)
    canvas.line(x, y, x + width, y)
    canvas.restoreState()


class Cover(Flowable):
    """The head of the first page: a dark band from edge to edge, as high as its text needs."""

    _ABOVE, _BELOW = 34, 18
    """Points kept free above the title, for the brand, and below the details."""

    def __init__(
        self,
        *,
        brand: str,
        title: str,
        name: str,
        details: Sequence[tuple[str, str]],
        bleed: tuple[float, float, float],
    ) -> None:
        """Take the texts, and how far the band reaches beyond the frame: up, right and left, in points."""
        super().__init__()
        long_name = len(name) > 60  # noqa: PLR2004 - two lines of large type
        self._brand, self._bleed = brand, bleed
        self._title = Paragraph(title, look("cover-title"))
        self._name = Paragraph(name, look("cover-detail" if long_name else "cover-name"))
        texts = [Markup('<font size="7.5" color="#B4C6D6">{}</font><br/>{}').format(*pair) for pair in details]
        self._details = _columns([Paragraph(text, look("cover-detail")) for text in texts], len(details))

    def wrap(self, aW: float, aH: float) -> tuple[float, float]:  # noqa: N803 - ReportLab's names
        """Measure the texts; the band takes the frame's width."""
        parts = (self._title, self._name, self._details)
        self._heights = [part.wrap(aW, aH)[1] for part in parts]
        self.width, self.height = aW, self._ABOVE + sum(self._heights) + 14 + self._BELOW
        return self.width, self.height

    def draw(self) -> None:
        """Draw the band, the brand and the texts."""
        canvas, (up, right, left) = self.canv, self._bleed
        canvas.setFillColor(_NAVY)
        canvas.rect(-left, 0, left + self.width + right, self.height + up, stroke=0, fill=1)
        canvas.setFillColor(_BRIGHT)
        canvas.rect(-left, -3, left + self.width + right, 3, stroke=0, fill=1)
        draw_logo(canvas, 0, self.height + 4, 34, on_dark=True)
        canvas.setFillColor(white)
        canvas.setFont(BOLD, 11)
        canvas.drawString(38, self.height + 17, clean(self._brand))
        y = self.height - self._ABOVE
        for part, height in zip((self._title, self._name), self._heights[:2], strict=True):
            y -= height
            part.drawOn(canvas, 0, y)
        canvas.setStrokeColor(_GREY)
        canvas.setLineWidth(0.5)
        canvas.line(0, y - 8, self.width, y - 8)
        self._details.drawOn(canvas, 0, self._BELOW)


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One tile of the summary."""

    label: str
    figure: str
    tone: Tone
    wide: bool = False
    """Whether it is twice as wide as the others."""
    weight: int = 0
    """Its share of the bar below the tiles."""


class Tiles(Flowable):
    """A row of tiles with large figures, and a bar that shows their proportions."""

    _GAP, _HIGH, _BAR = 8, 50, 5

    def __init__(self, tiles: Sequence[Tile]) -> None:
        super().__init__()
        self._tiles = tiles

    def wrap(self, aW: float, aH: float) -> tuple[float, float]:  # noqa: ARG002, N803 - ReportLab's names
        """Take the frame's width."""
        self.width, self.height = aW, self._HIGH + self._GAP + self._BAR
        return self.width, self.height

    def draw(self) -> None:
        """Draw the tiles, then the bar."""
        shares = [2 if tile.wide else 1 for tile in self._tiles]
        unit = (self.width - self._GAP * (len(self._tiles) - 1)) / sum(shares)
        x = 0.0
        for tile, share in zip(self._tiles, shares, strict=True):
            self._draw_tile(tile, x, unit * share)
            x += unit * share + self._GAP
        weighty = [tile for tile in self._tiles if tile.weight]
        unit = (self.width - 2 * (len(weighty) - 1)) / sum(tile.weight for tile in weighty)
        x = 0.0
        for tile in weighty:
            self.canv.setFillColor(_TONES[tile.tone])
            self.canv.rect(x, 0, unit * tile.weight, self._BAR, stroke=0, fill=1)
            x += unit * tile.weight + 2

    def _draw_tile(self, tile: Tile, x: float, width: float) -> None:
        canvas, y = self.canv, self._GAP + self._BAR
        canvas.setFillColor(_TONES[tile.tone])
        canvas.roundRect(x, y, width, self._HIGH, 3, stroke=0, fill=1)
        canvas.setFillColor(_PALE)
        canvas.rect(x + 3, y, width - 3, self._HIGH, stroke=0, fill=1)
        canvas.setFillColor(_GREY)
        canvas.setFont(REGULAR, 7.5)
        canvas.drawString(x + 13, y + 34, clean(tile.label))
        canvas.setFillColor(_TONES[tile.tone])
        canvas.setFont(BOLD, 18)
        canvas.drawString(x + 13, y + 11, clean(tile.figure))


class Mark(Flowable):
    """A coloured dot and a word: a tick for good, a bar with a point for attention, a ring for open."""

    def __init__(self, label: str, tone: Tone) -> None:
        super().__init__()
        self._label, self._tone, self.width, self.height = label, tone, 70, 11

    def draw(self) -> None:
        """Draw the dot by its shape as well as its colour, for those who can't tell the colours apart."""
        canvas, colour = self.canv, _TONES[self._tone]
        canvas.setFillColor(colour)
        canvas.setStrokeColor(colour)
        canvas.setLineWidth(1.2)
        canvas.circle(4.5, 4.5, 3.9, stroke=1, fill=int(self._tone != "open"))
        canvas.setStrokeColor(white)
        if self._tone == "good":
            _draw_tick(canvas, 4.5, 4.5, 2.1)
        elif self._tone == "attention":
            canvas.line(4.5, 4.2, 4.5, 7.2)
            canvas.line(4.5, 1.9, 4.5, 3.1)
        canvas.setFillColor(colour)
        canvas.setFont(BOLD, 8.5)
        canvas.drawString(13, 1.5, clean(self._label))


def block(heading: str, *body: Flowable) -> KeepTogether:
    """Set content under a heading, on one page."""
    return KeepTogether([Paragraph(heading, look("heading")), *body])


def grid(pairs: Sequence[tuple[str, str]], columns: int = 3) -> Table:
    """Set label above value, in columns with hairlines between the rows."""
    return _columns([Paragraph(_LABELLED.format(*pair), look("cell")) for pair in pairs], columns, ruled=True)


def notes(texts: Sequence[tuple[str, str]], columns: int = 2) -> Table:
    """Set short texts with their headings side by side."""
    return _columns([Paragraph(_NOTE.format(*text), look("small")) for text in texts], columns)


def legend(entries: Sequence[tuple[Mark, str]]) -> Table:
    """Explain marks side by side."""
    return _columns([[mark, Paragraph(text, look("small"))] for mark, text in entries], len(entries))


def table(head: Sequence[str], rows: Sequence[Sequence[Flowable]], shares: Sequence[int]) -> Table:
    """Set rows under a head that stands again on each page; `shares` are the columns' widths in per cent."""
    heads = [Paragraph(text, look("head")) for text in head]
    return Table(
        [heads, *(list(row) for row in rows)],
        colWidths=[f"{share}%" for share in shares],
        repeatRows=1,
        hAlign="LEFT",
        style=[
            ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
            ("LEFTPADDING", (0, 0), (-1, -1), 6),
            ("RIGHTPADDING", (0, 0), (-1, -1), 6),
            ("TOPPADDING", (0, 0), (-1, -1), 4),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 4.5),
            ("BACKGROUND", (0, 0), (-1, 0), _PALE),
            ("LINEBELOW", (0, 0), (-1, 0), 0.75, _NAVY),
            ("LINEBELOW", (0, 1), (-1, -1), 0.5, _HAIRLINE),
        ],
    )


def _columns(cells: Sequence[Flowable | list[Flowable]], columns: int, *, ruled: bool = False) -> Table:
    padded = [*cells, *([""] * (-len(cells) % columns))]
    lines = [("LINEBELOW", (0, 0), (-1, -1), 0.5, _HAIRLINE), ("LINEABOVE", (0, 0), (-1, 0), 0.75, _NAVY)]
    return Table(
        [padded[start : start + columns] for start in range(0, len(padded), columns)],
        colWidths=[f"{100 / columns}%"] * columns,
        hAlign="LEFT",
        style=[
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 14),
            ("TOPPADDING", (0, 0), (-1, -1), 4),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 5),
            *(lines if ruled else ()),
        ],
    )


def _draw_tick(canvas: "Canvas", x: float, y: float, size: float) -> None:
    """Draw a tick around (x, y) in the current stroke."""
    tick = canvas.beginPath()
    tick.moveTo(x - size, y)
    tick.lineTo(x - size * 0.25, y - size * 0.75)
    tick.lineTo(x + size, y + size * 0.75)
    canvas.drawPath(tick, stroke=1, fill=0)


@functools.cache
def _looks() -> dict[str, ParagraphStyle]:
    body = style("body")
    bold, plain = {"fontName": BOLD, "textColor": _NAVY}, {"textColor": white, "spaceAfter": 0}
    return {
        "heading": ParagraphStyle(
            "heading", body, **bold, fontSize=12, leading=16, spaceBefore=15, spaceAfter=5
        ),
        "cell": ParagraphStyle("cell", body, fontSize=9, leading=12, spaceAfter=0),
        "small": ParagraphStyle("small", body, fontSize=8, leading=11.5, textColor=_INK, spaceAfter=0),
        "head": ParagraphStyle("head", body, **bold, fontSize=8, leading=10, spaceAfter=0),
        "cover-title": ParagraphStyle("cover-title", body, **plain, fontName=BOLD, fontSize=28, leading=36),
        "cover-name": ParagraphStyle("cover-name", body, **plain, fontSize=15, leading=21),
        "cover-detail": ParagraphStyle("cover-detail", body, **plain, fontSize=9.5, leading=13),
    }
