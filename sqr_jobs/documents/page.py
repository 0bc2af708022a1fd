"""What stands on every page: header, footer, page X of Y."""

import bisect
from typing import TYPE_CHECKING

from sqr_jobs.documents.text import REGULAR, line, register_fonts

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

__all__ = ["Page", "define_total"]

_TOTAL = "page-total"
_SIZE = 8
_GREY = (0.38, 0.43, 0.49)
_GAP = 12


class Page:
    """One page while it is drawn; lengths in points, the origin at the lower left."""

    number: int
    """From 1 on."""
    width: float
    height: float
    top: float
    """The margins, as the template has them: `top`, `right`, `bottom`, `left`."""
    right: float
    bottom: float
    left: float

    def __init__(
        self, number: int, *, size: tuple[float, float], margins: tuple[float, float, float, float]
    ) -> None:
        self.number = number
        self.width, self.height = size
        self.top, self.right, self.bottom, self.left = margins

    def header(self, canvas: "Canvas", *, left: str = "", right: str = "") -> None:
        """Draw a line of small text at the head; what is too long is cut."""
        y = self.height - self.top * 0.5
        right = _fitted(canvas, line(right), self._room / 2)
        _draw(canvas, self.width - self.right - _width(canvas, right), y, right)
        _draw(canvas, self.left, y, _fitted(canvas, line(left), self._room - _width(canvas, right) - _GAP))

    def footer(self, canvas: "Canvas", *, left: str = "", pages: str = "Page {number} of {total}") -> None:
        """Draw a line of small text at the foot: `left`, and at the right where one is.

        `pages` is the template author's own pattern, never user text; `{total}` is the number of all pages.
        It is known after the last page only: each digit that it has more than the page's number goes 4.6
        points past the right margin.
        """
        y = self.bottom * 0.5
        before, total, after = pages.replace("{number}", str(self.number)).partition("{total}")
        # The total has at least as many digits as this page's number.
        digits = _width(canvas, str(self.number)) if total else 0
        x = self.width - self.right - _width(canvas, before + after) - digits
        _draw(canvas, self.left, y, _fitted(canvas, line(left), x - self.left - _GAP))
        _draw(canvas, x, y, before)
        if total:
            x += _width(canvas, before)
            canvas.saveState()
            canvas.translate(x, y)
            canvas.doForm(_TOTAL)  # no second pass, and no pages kept until the total is known
            canvas.restoreState()
            _draw(canvas, x + digits, y, after)

    @property
    def _room(self) -> float:
        return self.width - self.left - self.right


def define_total(canvas: "Canvas", pages: int) -> None:
    """Say what `{total}` is, once, after the last page."""
    register_fonts()
    canvas.beginForm(_TOTAL, 0, -4, 60, 12)
    _draw(canvas, 0, 0, str(pages))
    canvas.endForm()


def _draw(canvas: "Canvas", x: float, y: float, text: str) -> None:
    canvas.setFont(REGULAR, _SIZE)
    canvas.setFillColorRGB(*_GREY)
    canvas.drawString(x, y, text)


def _width(canvas: "Canvas", text: str) -> float:
    return canvas.stringWidth(text, REGULAR, _SIZE)


def _fitted(canvas: "Canvas", text: str, room: float) -> str:
    if _width(canvas, text) <= room:
        return text
    fits = bisect.bisect_right(range(len(text)), room, key=lambda end: _width(canvas, text[:end] + "…")) - 1
    return text[: max(fits, 0)] + "…"
