"""Finds the characters that are drawn in a font without a glyph for them."""

import functools
from collections import Counter
from typing import Any

from reportlab.pdfbase.pdfmetrics import getFont
from reportlab.pdfgen.textobject import PDFTextObject

__all__ = ["CountingText"]


class CountingText(PDFTextObject):
    """A canvas's text object, through which ReportLab draws all text; counts what has no glyph.

    A multi-byte font of Adobe's (`UnicodeCIDFont`) is not looked at: which glyphs it has, its reader decides.
    """

    def __init__(self, canvas: Any, x: float, y: float, direction: Any, missing: Counter[str]) -> None:
        super().__init__(canvas, x, y, direction=direction)
        self._missing = missing

    def _formatText(self, text: str | bytes) -> Any:  # noqa: N802 - ReportLab's one place for all its ways
        shown = text.decode(errors="ignore") if isinstance(text, bytes) else text
        coverage = _coverage(getFont(self._fontname))  # type: ignore[attr-defined]  # not in the stubs
        if not coverage.has.issuperset(shown):  # which is quick, and almost always true
            self._missing.update(coverage.lacking(shown))
        return super()._formatText(text)  # type: ignore[misc]  # not in the stubs


class _Coverage:
    """Which characters a font has and lacks, of those that were asked for."""

    def __init__(self, font: Any) -> None:
        self._font = font
        self.has: set[str] = set()
        self._lacks: set[str] = set()

    def lacking(self, text: str) -> list[str]:
        """Return the characters that have no glyph, each as often as it is there."""
        for character in set(text) - self.has - self._lacks:
            (self.has if _has_glyph(self._font, character) else self._lacks).add(character)
        return [character for character in text if character in self._lacks]


@functools.lru_cache(maxsize=64)
def _coverage(font: Any) -> _Coverage:
    return _Coverage(font)


def _has_glyph(font: Any, character: str) -> bool:
    if font._dynamicFont:  # noqa: SLF001 - as ReportLab asks
        return bool(font.face.charToGlyph.get(ord(character)))
    if font._multiByte:  # noqa: SLF001
        return True
    return any(_encodes(one, character) for one in (font, *font.substitutionFonts))


def _encodes(font: Any, character: str) -> bool:
    try:
        character.encode(font.encName)
    except UnicodeEncodeError:
        return False
    return True
