"""The bare parts: the same report by ReportLab and pikepdf alone, as one writes them by hand.

It imports nothing of the library. Layout, fonts, finishing and checks on storing are the library's own
choices, so that only what the library puts around them differs.
"""

import functools
import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pikepdf
from reportlab import rl_config
from reportlab.lib.colors import HexColor
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase.pdfmetrics import registerFont, registerFontFamily
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate, Paragraph

from tests.bench.content import Content, content_of, flowables

__all__ = ["make_document"]

_FONTS = Path(__file__).parents[2] / "sqr_jobs" / "documents" / "fonts"
_A4 = (595.276, 841.89)
_PRODUCER = "by hand"


def make_document(user_id: str) -> bytes:
    """Load, lay out and finish."""
    content = content_of(user_id)
    return _finish(_lay_out(content), content.title)


def _lay_out(content: Content) -> bytes:
    styles = _styles()
    rl_config.useA85 = 0
    buffer = io.BytesIO()
    width, height = _A4
    document = BaseDocTemplate(buffer, pagesize=_A4, invariant=1, initialFontName="NotoSans")
    frame = Frame(56, 64, width - 112, height - 136, 0, 0, 0, 0, id="body")
    document.addPageTemplates(PageTemplate(id="page", frames=[frame], pagesize=_A4))
    story = list(flowables(content, lambda text, style: Paragraph(escape(text), styles[style])))
    document.build(story, canvasmaker=_numbered(content.title))
    return buffer.getvalue()


def _numbered(title: str) -> Callable[..., Canvas]:
    """Make the canvas class that keeps its pages until their number is known, and then draws the feet."""

    class NumberedCanvas(Canvas):
        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            super().__init__(*arguments, **keywords)
            self.kept: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802 - ReportLab's name
            self.kept.append(dict(self.__dict__))
            self._startPage()  # type: ignore[attr-defined]  # not in the stubs

        def save(self) -> None:
            for number, page in enumerate(self.kept, 1):
                self.__dict__.update(page)
                self.setFont("NotoSans", 8)
                self.setFillColorRGB(0.38, 0.43, 0.49)
                self.drawString(56, 32, title)
                self.drawRightString(_A4[0] - 56, 32, f"Page {number} of {len(self.kept)}")
                super().showPage()
            super().save()

    return NumberedCanvas


def _finish(unfinished: bytes, title: str) -> bytes:
    now = datetime.now(UTC)
    output = io.BytesIO()
    with pikepdf.open(io.BytesIO(unfinished)) as pdf:
        for item in pdf.objects:  # an array of one filter would have qpdf deflate the stream anew
            if isinstance(item, pikepdf.Stream):
                filters = item.get("/Filter")
                if isinstance(filters, pikepdf.Array) and len(filters) == 1:
                    item["/Filter"] = filters[0]
        for page in pdf.pages:
            if "/Trans" in page and not page["/Trans"].keys():
                del page["/Trans"]
        for key in list(pdf.docinfo.keys()):
            del pdf.docinfo[key]
        pdf.docinfo["/Title"] = title
        pdf.docinfo["/Producer"] = pdf.docinfo["/Creator"] = _PRODUCER
        stamp = pikepdf.String(now.strftime("D:%Y%m%d%H%M%S+00'00'"))
        pdf.docinfo["/CreationDate"] = pdf.docinfo["/ModDate"] = stamp
        with pdf.open_metadata(set_pikepdf_as_editor=False, update_docinfo=False) as xmp:
            xmp["dc:title"] = title
            xmp["dc:language"] = {"en"}
            xmp["dc:format"] = "application/pdf"
            xmp["pdf:Producer"] = xmp["xmp:CreatorTool"] = _PRODUCER
            xmp["xmp:CreateDate"] = xmp["xmp:ModifyDate"] = now.strftime("%Y-%m-%dT%H:%M:%S+00:00")
        pdf.Root["/Lang"] = pikepdf.String("en")
        pdf.Root["/ViewerPreferences"] = pikepdf.Dictionary(DisplayDocTitle=True)
        pdf.save(
            output,
            object_stream_mode=pikepdf.ObjectStreamMode.generate,
            compress_streams=True,
            deterministic_id=True,
        )
    return output.getvalue()


@functools.cache
def _styles() -> dict[str, ParagraphStyle]:
    for name, file in (("NotoSans", "Regular"), ("NotoSans-Bold", "Bold"), ("NotoSans-Italic", "Italic")):
        registerFont(TTFont(name, str(_FONTS / f"NotoSans-{file}.ttf")))
    registerFontFamily(
        "NotoSans",
        normal="NotoSans",
        bold="NotoSans-Bold",
        italic="NotoSans-Italic",
        boldItalic="NotoSans-Bold",
    )
    body = ParagraphStyle(
        "body", fontName="NotoSans", fontSize=10, leading=15, textColor=HexColor(0x1F2933), spaceAfter=6
    )
    bold = "NotoSans-Bold"
    above: Any = {"fontName": bold, "keepWithNext": 1}
    return {
        "body": body,
        "title": ParagraphStyle("title", body, fontName=bold, fontSize=22, leading=28, spaceAfter=10),
        "heading": ParagraphStyle(
            "heading", body, fontSize=14, leading=19, spaceBefore=14, spaceAfter=6, **above
        ),
        "subheading": ParagraphStyle(
            "subheading", body, fontSize=11, leading=15, spaceBefore=8, spaceAfter=3, **above
        ),
        "cell": ParagraphStyle("cell", body, fontSize=9, leading=12.5, spaceAfter=0),
    }
