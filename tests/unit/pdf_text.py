"""What stands on the pages of a PDF, read by pikepdf and the fonts' own ToUnicode maps."""

import io
import re
from typing import Any

import pikepdf

__all__ = ["pages_of"]

_PAIR = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>")
_SINGLE = re.compile(rb"beginbfchar(.*?)endbfchar", re.DOTALL)


def pages_of(document: bytes) -> list[str]:
    """Return each page's text in the order in which it is drawn, forms included."""
    with pikepdf.open(io.BytesIO(document)) as pdf:
        return [_shown(page.obj, page.obj) for page in pdf.pages]


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
                operand = instruction.operands[0]
                parts = operand if isinstance(operand, pikepdf.Array) else [operand]
                codes = b"".join(bytes(part) for part in parts if isinstance(part, pikepdf.String))
                shown.append("".join(letters[code] for code in codes))
            case "T*" | "ET":
                shown.append("\n")
            case "Do":
                form = resources["/XObject"][str(instruction.operands[0])]
                if form.get("/Subtype") == "/Form":
                    shown.append(_shown(form, form))
    return "".join(shown)


def _letters(font: Any) -> dict[int, str]:
    blocks = _SINGLE.findall(font["/ToUnicode"].read_bytes()) if "/ToUnicode" in font else []
    pairs = (pair for block in blocks for pair in _PAIR.findall(block))
    return {int(code, 16): bytes.fromhex(text.decode()).decode("utf-16-be") for code, text in pairs}
