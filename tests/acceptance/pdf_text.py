"""The text of a PDF, read by pikepdf and the fonts' own ToUnicode maps: no other program is needed."""

import io
import re

import pikepdf

__all__ = ["text_of"]

_CHARACTER = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>")
_SINGLE = re.compile(rb"beginbfchar(.*?)endbfchar", re.DOTALL)


def text_of(document: bytes) -> str:
    """Return the text that the pages' own contents show, in the order in which it is drawn."""
    with pikepdf.open(io.BytesIO(document)) as pdf:
        return "\n".join(_text_of_page(page) for page in pdf.pages)


def _text_of_page(page: pikepdf.Page) -> str:
    fonts = {name: _characters(font) for name, font in page.Resources.Font.items()}
    characters: dict[int, str] = {}
    shown = []
    for instruction in pikepdf.parse_content_stream(page):
        match str(instruction.operator):
            case "Tf":
                characters = fonts[str(instruction.operands[0])]
            case "Tj" | "TJ":
                codes = b"".join(_strings(instruction.operands[0]))
                shown.append("".join(characters[code] for code in codes))
            case "T*" | "ET":
                shown.append("\n")
    return "".join(shown)


def _strings(operand: pikepdf.Object) -> list[bytes]:
    parts = operand if isinstance(operand, pikepdf.Array) else [operand]
    return [bytes(part) for part in parts if isinstance(part, pikepdf.String)]


def _characters(font: pikepdf.Object) -> dict[int, str]:
    """Read the map of a simple font: one byte each."""
    pairs = (
        pair for block in _SINGLE.findall(font.ToUnicode.read_bytes()) for pair in _CHARACTER.findall(block)
    )
    return {int(code, 16): bytes.fromhex(text.decode()).decode("utf-16-be") for code, text in pairs}
