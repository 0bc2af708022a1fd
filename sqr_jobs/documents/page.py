"""What stands on every page: header, footer, page X of Y."""

from typing import TYPE_CHECKING

from sqr_jobs.documents.text import REGULAR, clean, register_fonts

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

__all__ = ["Page"]

_TOTAL = "page-total"
_SIZE = 8
_GREY = (0.38, 0.43, 0.49)


class Page:
    """One page while it is drawn; lengths in points, the origin at the lower left."""

    def __init__(
        self, number: int, *, size: tuple[float, float], margins: tuple[float, float, float, float]
    ) -> None:
        self.number = number
        self.width, self.height = size
        self.top, self.right, self.bottom, self.left = margins

    def footer(self, canvas: "Canvas", *, left: str = "", right: str = "") -> None:
        """Draw a line of small text at the foot; `{number}` and `{total}` stand for the pages."""
        self._line(canvas, self.bottom * 0.5, left, right)

    def header(self, canvas: "Canvas", *, left: str = "", right: str = "") -> None:
        """Draw a line of small text at the head, likewise."""
        self._line(canvas, self.height - self.top * 0.5, left, right)

    def _line(self, canvas: "Canvas", y: float, left: str, right: str) -> None:
        available = self.width - self.left - self.right
        right_width = self._width(canvas, right)
        canvas.saveState()
        self._text(canvas, self.left, y, self._fitted(canvas, left, available - right_width - 12))
        self._text(canvas, self.width - self.right - right_width, y, right)
        canvas.restoreState()

    def _text(self, canvas: "Canvas", x: float, y: float, text: str) -> None:
        canvas.setFont(REGULAR, _SIZE)
        canvas.setFillColorRGB(*_GREY)
        before, total, after = clean(text).replace("{number}", str(self.number)).partition("{total}")
        canvas.drawString(x, y, before)
        if total:
            x += canvas.stringWidth(before, REGULAR, _SIZE)
            canvas.saveState()
            canvas.translate(x, y)
            canvas.doForm(_TOTAL)  # drawn once the last page is known: no second pass, no pages kept
            canvas.restoreState()
            canvas.drawString(x + self._total_width(canvas), y, after)

    def _width(self, canvas: "Canvas", text: str) -> float:
        shown = clean(text).replace("{number}", str(self.number))
        before, total, after = shown.partition("{total}")
        reserved = self._total_width(canvas) if total else 0
        return canvas.stringWidth(before + after, REGULAR, _SIZE) + reserved

    @staticmethod
    def _total_width(canvas: "Canvas") -> float:
        return canvas.stringWidth("000", REGULAR, _SIZE)

    @staticmethod
    def _fitted(canvas: "Canvas", text: str, width: float) -> str:
        if canvas.stringWidth(clean(text), REGULAR, _SIZE) <= width:
            return text
        while text and canvas.stringWidth(clean(text) + "…", REGULAR, _SIZE) > width:
            text = text[: int(len(text) * 0.9)]
        return text + "…"

    @staticmethod
    def define_total(canvas: "Canvas", pages: int) -> None:
        """Say what `{total}` is, once, after the last page."""
        register_fonts()
        canvas.beginForm(_TOTAL, 0, -4, 60, 12)
        canvas.setFont(REGULAR, _SIZE)
        canvas.setFillColorRGB(*_GREY)
        canvas.drawString(0, 0, str(pages))
        canvas.endForm()
