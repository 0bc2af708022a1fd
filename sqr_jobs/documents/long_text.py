"""Text of many pages, in time that grows with its length.

ReportLab breaks the whole rest of a paragraph into lines anew for each page: a megabyte would take minutes.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import Flowable
from reportlab.platypus.paragraph import split  # type: ignore[attr-defined]  # not in the stubs

if TYPE_CHECKING:
    from reportlab.platypus import Paragraph

__all__ = ["LongText"]

_PIECE = 4_000
"""Characters that are broken into lines at once, about a page."""
_LINES = 50
"""In one piece, where text brings its own line breaks; likewise."""

_BLANK = "\N{NO-BREAK SPACE}"
"""Keeps a blank line at a piece's end, where ReportLab drops it."""


class LongText(Flowable):
    """A paragraph of clean plain text; `make` gives ReportLab's for a piece of it.

    Split, it gives what fits of its first piece, and the rest.
    """

    def __init__(
        self,
        text: str,
        style: ParagraphStyle,
        make: Callable[[str, ParagraphStyle], "Paragraph"],
    ) -> None:
        super().__init__()
        self.style = style
        self._make, self._text, self._is_whole = make, text, False
        *lines, last = text[:_PIECE].split("\n", _LINES)
        self._goes_on = not lines
        if self._goes_on:
            self._piece, self._rest = _single_blanks(last), text[_PIECE:]
        else:
            self._piece = "\n".join(lines)
            self._rest = text[len(self._piece) + 1 :]
            if not lines[-1].strip():
                self._piece += _BLANK
        self._paragraph = make(self._piece, ParagraphStyle(style.name, style, spaceAfter=0))

    def wrap(self, available_width: float, available_height: float) -> tuple[float, float]:
        """Break as much into lines as it takes to see that it does not fit; all of it where it does."""
        # A table asks several times a page.
        if available_width == self.width and (self._is_whole or self.height > available_height):
            return self.width, self.height
        many, beginning = 1, ""
        while beginning != self._text:
            many *= 2
            beginning = "\n".join(self._text[: many * _PIECE].split("\n", many * _LINES)[: many * _LINES])
            self._wrapped = self._make(beginning, self.style)
            _, height = self._wrapped.wrap(available_width, available_height)
            if height > available_height:
                break
        self._is_whole = beginning == self._text
        self.width, self.height = available_width, height
        return available_width, height

    def draw(self) -> None:
        """Draw what was wrapped: all of it, or more than there is room for, as where a frame cuts it."""
        self._wrapped.canv = self.canv
        self._wrapped.draw()

    def split(self, available_width: float, available_height: float) -> list[Flowable]:
        """Give what fits and the rest; nothing where nothing fits."""
        # Lines are those that `wrap` made: a table's cell is split with a width that holds its padding.
        width = self.width or available_width
        _, height = self._paragraph.wrap(width, available_height)
        if not (self._goes_on and self._piece.strip()):
            return _Joined(self._paragraph, self._follow(self._rest)).split(width, available_height)
        # The piece's last line is left over, because its words go on.
        most = min(available_height, height - self.style.leading / 2)
        fitting = self._paragraph.split(width, most)
        if not fitting:
            return []
        first: Any = fitting[0]
        drawn = sum(len(word) for word in first.frags[0].words)
        rest = self._follow((self._piece[_end_of(self._piece, drawn) :] + self._rest).lstrip(" "))
        return _Joined(first, rest).split(width, available_height)

    def _follow(self, text: str) -> Flowable:
        style = ParagraphStyle(self.style.name, self.style, spaceBefore=0, firstLineIndent=0)
        is_long = len(text) > _PIECE or text.count("\n") > _LINES
        return LongText(text, style, self._make) if is_long else self._make(text, style)


class _Joined(Flowable):
    """A paragraph and the text behind it, as one.

    What is split is two flowables, never three: a table's cell takes the first two of them.
    """

    def __init__(self, head: Flowable, tail: Any) -> None:
        super().__init__()
        self.style = tail.style
        self._head, self._tail = head, tail

    def wrap(self, available_width: float, available_height: float) -> tuple[float, float]:
        _, self._head_height = self._head.wrap(available_width, available_height)
        _, tail_height = self._tail.wrap(available_width, max(available_height - self._head_height, 0))
        self.width, self.height = available_width, self._head_height + tail_height
        return self.width, self.height

    def draw(self) -> None:
        self._head.drawOn(self.canv, 0, self.height - self._head_height)
        self._tail.drawOn(self.canv, 0, 0)

    def split(self, available_width: float, available_height: float) -> list[Flowable]:
        width = self.width or available_width
        _, height = self._head.wrap(width, available_height)
        if height > available_height:
            parts = self._head.split(width, available_height)
            return [parts[0], _Joined(parts[1], self._tail)] if len(parts) > 1 else []
        parts = self._tail.split(width, available_height - height)
        return [_Joined(self._head, parts[0]), parts[1]] if len(parts) > 1 else [self._head, self._tail]


def _single_blanks(text: str) -> str:
    """Leave one blank between words, as ReportLab does; the last one may go on behind the text."""
    return " ".join(filter(None, split(text))) + (" " if text[-1].isspace() else "")


def _end_of(text: str, letters: int) -> int:
    """Find where so many characters that are no blanks have passed."""
    for index, character in enumerate(text):
        if letters == 0:
            return index
        letters -= character != " "
    return len(text)
