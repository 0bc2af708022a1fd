"""The only way text reaches ReportLab: user text is escaped, never parsed."""

import functools
import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Flowable
    from reportlab.platypus import Paragraph as ReportLabParagraph

__all__ = ["BOLD", "ITALIC", "REGULAR", "Paragraph", "clean", "line", "register_fonts", "style"]

REGULAR, BOLD, ITALIC = "NotoSans", "NotoSans-Bold", "NotoSans-Italic"
"""Font names after `register_fonts`; embedded in every document, for Latin, Greek and Cyrillic."""

_FONTS = Path(__file__).parent / "fonts"
_LONG, _MANY_LINES = 20_000, 100
"""Characters, and line breaks, of some pages: what has more is laid out piece by piece."""
_LONGEST_LINE = 2_000
"""Characters: of a title or a page's header no one reads more, and it is made anew for each page."""
_LINE_BREAK = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
"""What breaks a line besides `\\n` (UAX 14, BK, CR and NL): word processors write such."""
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def Paragraph(text: str | Markup, style: "str | ParagraphStyle" = "body") -> "Flowable":  # noqa: N802 - stands where ReportLab's class would
    """Make a paragraph from plain text, or from `markupsafe.Markup` that the host wrote itself.

    A `str` is escaped whole, so what a person calls themselves can never become markup, a link or a file
    name; `Markup("<b>{}</b>").format(name)` escapes the name and keeps the bold. Line breaks are kept.
    The built-in styles' font has Latin, Greek and Cyrillic letters, and an empty box for every other.
    `style` is a name that `style()` knows, or a ReportLab style. Raises `KeyError` for any other name.
    """
    from reportlab.platypus import Paragraph as ReportLabParagraph  # noqa: PLC0415 - not in the web process

    shown = _style(style) if isinstance(style, str) else style
    if isinstance(text, Markup):
        return ReportLabParagraph(_clean_markup(text).replace("\n", "<br/>"), shown)
    cleaned = clean(text)
    is_short = len(cleaned) <= _LONG and cleaned.count("\n") <= _MANY_LINES
    if is_short or shown.wordWrap == "CJK":  # lines that end anywhere can't be broken in pieces
        return _plain(cleaned, shown)
    from sqr_jobs.documents.long_text import LongText  # noqa: PLC0415 - imports ReportLab

    return LongText(cleaned, shown, _plain)


def style(name: str) -> "ParagraphStyle":
    """Return a built-in style: `title`, `heading`, `subheading`, `body`, `small`, `label` or `cell`.

    Derive your own from it: `ParagraphStyle("warning", style("body"), textColor=red)`. Raises `KeyError` for
    any other name.
    """
    return _style(name)


def clean(text: str) -> str:
    """Make text printable.

    Letters and their accents are joined, lone surrogates become U+FFFD, control and invisible format
    characters and Unicode's noncharacters go; tabs stay, and each way to break a line becomes a line feed.
    """
    if text.isprintable() and text.isascii():
        return text
    lines = _LINE_BREAK.sub("\n", text)
    return "".join(_printable(character) for character in unicodedata.normalize("NFC", lines))


def _plain(cleaned: str, shown: "ParagraphStyle") -> "ReportLabParagraph":
    from reportlab.platypus import Paragraph as ReportLabParagraph  # noqa: PLC0415

    if "\n" in cleaned or not cleaned.strip() or shown.textTransform:
        return ReportLabParagraph(str(escape(cleaned)).replace("\n", "<br/>"), shown)
    # One fragment, never parsed: ReportLab would make one of each escaped character, and is slow with many.
    paragraph = ReportLabParagraph("text", shown)
    paragraph.frags[0].text = re.sub(r"[ \t]+", " ", cleaned).strip(" ")
    return paragraph


def _clean_markup(markup: str) -> str:
    """Clean the text between tags: an accent must not be joined to the bracket that ends a tag."""
    return "".join(
        part if part.startswith("<") else clean(part) for part in re.split(r"(<[^<>]*>)", str(markup))
    )


def line(text: str) -> str:
    """Make text printable on one line: each run of white space becomes one blank, and what is long is cut."""
    shown = " ".join(clean(text[:_LONGEST_LINE]).split())
    return shown + "…" if len(text) > _LONGEST_LINE else shown


def _printable(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cs":
        return _REPLACEMENT
    if (category in ("Cc", "Cf") and character not in "\n\t") or _is_noncharacter(ord(character)):
        return ""
    return character


def _is_noncharacter(code: int) -> bool:
    """Tell what Unicode will never assign: XML can't hold some of it, so titles would differ."""
    return code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF  # noqa: PLR2004 - Unicode's own numbers


@functools.cache
def register_fonts() -> None:
    """Register the embedded font family with ReportLab, once per process."""
    from reportlab.pdfbase.pdfmetrics import registerFont, registerFontFamily  # noqa: PLC0415
    from reportlab.pdfbase.ttfonts import TTFont  # noqa: PLC0415
    from reportlab.platypus.tables import CellStyle  # noqa: PLC0415

    CellStyle.fontname = REGULAR  # a table names its cells' font even where they hold paragraphs
    for name, file in ((REGULAR, "Regular"), (BOLD, "Bold"), (ITALIC, "Italic")):
        registerFont(TTFont(name, str(_FONTS / f"NotoSans-{file}.ttf")))
    registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=ITALIC, boldItalic=BOLD)


@functools.cache
def _style(name: str) -> "ParagraphStyle":
    return _styles()[name]


@functools.cache
def _styles() -> "dict[str, ParagraphStyle]":
    from reportlab.lib.colors import HexColor  # noqa: PLC0415
    from reportlab.lib.styles import ParagraphStyle  # noqa: PLC0415

    register_fonts()
    ink, grey = HexColor(0x1F2933), HexColor(0x616E7C)
    body = ParagraphStyle("body", fontName=REGULAR, fontSize=10, leading=15, textColor=ink, spaceAfter=6)
    return {
        "body": body,
        "title": ParagraphStyle("title", body, fontName=BOLD, fontSize=22, leading=28, spaceAfter=10),
        "heading": ParagraphStyle(
            "heading",
            body,
            fontName=BOLD,
            fontSize=14,
            leading=19,
            spaceBefore=14,
            spaceAfter=6,
            keepWithNext=1,
        ),
        "subheading": ParagraphStyle(
            "subheading",
            body,
            fontName=BOLD,
            fontSize=11,
            leading=15,
            spaceBefore=8,
            spaceAfter=3,
            keepWithNext=1,
        ),
        "small": ParagraphStyle("small", body, fontSize=8, leading=11, textColor=grey),
        "label": ParagraphStyle("label", body, fontSize=8.5, leading=12, textColor=grey, spaceAfter=0),
        "cell": ParagraphStyle("cell", body, fontSize=9, leading=12.5, spaceAfter=0),
    }
