"""What stands on the pages of a PDF, read by pikepdf and the fonts' own ToUnicode maps."""

import io
import math
import re
from collections.abc import Iterator
from typing import Any

import pikepdf

__all__ = ["lines_of", "pages_of"]

_PAIR = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>")
_SINGLE = re.compile(rb"beginbfchar(.*?)endbfchar", re.DOTALL)


def pages_of(document: bytes) -> list[str]:
    """Return each page's text in the order in which it is drawn, forms included."""
    with pikepdf.open(io.BytesIO(document)) as pdf:
        return [_shown(page.obj, page.obj) for page in pdf.pages]


def lines_of(document: bytes) -> list[tuple[int, float, float, str]]:
    """Return each line as page, left end, height above the page's foot, and text, from the top down.

    Lines in one place are one. Reads what ReportLab writes for paragraphs that are moved and not turned.
    """
    lines: dict[tuple[int, float, float], str] = {}
    with pikepdf.open(io.BytesIO(document)) as pdf:
        for number, page in enumerate(pdf.pages, start=1):
            for x, y, text in _placed(page.obj):
                place = (number, round(x, 1), round(y, 1))
                lines[place] = lines.get(place, "") + text
    in_order = sorted(lines, key=lambda place: (place[0], -place[2], place[1]))
    return [(*place, lines[place]) for place in in_order if lines[place].strip()]


def _placed(page: Any) -> Iterator[tuple[float, float, str]]:  # noqa: C901 - one case for each operator
    fonts = {name: _letters(font) for name, font in page["/Resources"].get("/Font", {}).items()}
    letters: dict[int, str] = {}
    origin, origins = (0.0, 0.0), []
    x = y = leading = 0.0
    for operands, operator in pikepdf.parse_content_stream(page):
        match str(operator):
            case "q":
                origins.append(origin)
            case "Q":
                origin = origins.pop()
            case "cm" | "Tm" as moves:
                *turned, dx, dy = (float(value) for value in operands)
                if turned != [1, 0, 0, 1]:
                    dx = dy = math.nan
                if moves == "cm":
                    origin = (origin[0] + dx, origin[1] + dy)
                else:
                    x, y = dx, dy
            case "Td":
                x, y = x + float(operands[0]), y + float(operands[1])
            case "TL":
                leading = float(operands[0])
            case "T*":
                y -= leading
            case "Tf":
                letters = fonts[str(operands[0])]
            case "Tj" | "TJ":
                yield origin[0] + x, origin[1] + y, _text(operands[0], letters)


def _shown(content: Any, owner: Any) -> str:
    resources = owner.get("/Resources", pikepdf.Dictionary())
    fonts = {name: _letters(font) for name, font in resources.get("/Font", {}).items()}
    letters: dict[int, str] = {}
    shown = []
    for instruction in pikepdf.parse_content_stream(content):
        match str(instruction.operator):
            case "Tf":
                letters = fonts[str(instruction.operands[0])]
            case "Tj" | "TJ":
                shown.append(_text(instruction.operands[0], letters))
            case "T*" | "ET":
                shown.append("\n")
            case "Do":
                form = resources["/XObject"][str(instruction.operands[0])]
                if form.get("/Subtype") == "/Form":
                    shown.append(_shown(form, form))
    return "".join(shown)


def _text(operand: Any, letters: dict[int, str]) -> str:
    parts = operand if isinstance(operand, pikepdf.Array) else [operand]
    codes = b"".join(bytes(part) for part in parts if isinstance(part, pikepdf.String))
    return "".join(letters[code] for code in codes)


def _letters(font: Any) -> dict[int, str]:
    if "/ToUnicode" not in font:  # one that every viewer has, as for a list's bullets
        return {code: chr(code) for code in range(128)}
    blocks = _SINGLE.findall(font["/ToUnicode"].read_bytes())
    pairs = (pair for block in blocks for pair in _PAIR.findall(block))
    return {int(code, 16): bytes.fromhex(text.decode()).decode("utf-16-be") for code, text in pairs}
