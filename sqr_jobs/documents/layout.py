"""From flowables to pages, with ReportLab."""

import functools
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, SupportsIndex, overload

from pydantic import BaseModel
from reportlab import rl_config
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, KeepTogether, PageTemplate

from sqr_jobs.documents.glyphs import CountingText
from sqr_jobs.documents.page import Page, define_total
from sqr_jobs.documents.template import Template
from sqr_jobs.documents.text import REGULAR, Paragraph, register_fonts

__all__ = ["lay_out"]

_AHEAD = 32


def lay_out(template: Template[Any], data: BaseModel, *, missing: Counter[str] | None = None) -> bytes:
    """Lay out a template's flowables into an unfinished PDF; the same content gives the same bytes.

    Flowables are pulled one by one as pages fill, so a generator's content is never held as a whole.
    Characters whose font has no glyph for them are counted in `missing`.
    """
    register_fonts()
    rl_config.useA85 = 0  # ASCII85 would grow each stream by a quarter, for finishing to take back
    buffer = io.BytesIO()
    document = _Document(buffer, template, data)
    content = _Pulled(template.flowables(data)) or [Paragraph("")]  # a PDF has at least one page
    canvas = functools.partial(_Canvas, missing=Counter() if missing is None else missing)
    document.build(content, canvasmaker=canvas)
    return buffer.getvalue()


class _Canvas(Canvas):
    """Draws inline images as ordinary ones: ReportLab can write them inline with ASCII85 only.

    And counts the characters that are drawn without a glyph.
    """

    def __init__(self, *arguments: Any, missing: Counter[str], **keywords: Any) -> None:
        self._missing = missing
        super().__init__(*arguments, **keywords)

    def beginText(self, x: float = 0, y: float = 0, direction: Any = None) -> CountingText:  # noqa: N802
        return CountingText(self, x, y, direction, self._missing)

    def drawInlineImage(  # noqa: N802, PLR0917 - ReportLab's name and parameters
        self,
        image: Any,
        x: float,
        y: float,
        width: float | None = None,
        height: float | None = None,
        preserveAspectRatio: bool = False,  # noqa: FBT001, FBT002, N803
        anchor: str = "c",
        anchorAtXY: bool = False,  # noqa: FBT001, FBT002, N803
        showBoundary: bool = False,  # noqa: ARG002, FBT001, FBT002, N803
        extraReturn: Any = None,  # noqa: ARG002, N803
    ) -> tuple[Any, Any]:
        source = image if isinstance(image, str) else ImageReader(image)
        return self.drawImage(
            source,
            x,
            y,
            width,
            height,
            preserveAspectRatio=preserveAspectRatio,
            anchor=anchor,
            anchorAtXY=anchorAtXY,
        )


class _Document(BaseDocTemplate):
    """One frame per page, and the template's own `draw_page` on each."""

    def __init__(self, buffer: io.BytesIO, template: Template[Any], data: BaseModel) -> None:
        top, right, bottom, left = template.margins
        width, height = template.page_size
        super().__init__(
            buffer,
            pagesize=template.page_size,
            invariant=1,
            initialFontName=REGULAR,
            keepTogetherClass=_Kept,
        )
        frame = Frame(left, bottom, width - left - right, height - top - bottom, 0, 0, 0, 0, id="body")
        self.addPageTemplates(PageTemplate(id="page", frames=[frame], pagesize=template.page_size))
        self._template, self._data = template, data

    def beforePage(self) -> None:  # noqa: N802 - ReportLab's hook
        page = Page(self.page, size=self._template.page_size, margins=self._template.margins)
        self._template.draw_page(self.canv, page, self._data)

    def _endBuild(self) -> None:  # noqa: N802 - ReportLab's hook: the pages are done, the file is not
        pages = self.page
        save, self.canv.save = self.canv.save, lambda: None  # type: ignore[method-assign]
        super()._endBuild()  # type: ignore[misc]  # not in the stubs
        define_total(self.canv, pages)
        save()


class _Kept(KeepTogether):
    """A heading and what it is kept with, to which ReportLab gives each part's freedom but the last's.

    The last is a heading where nothing follows that can be kept with it: of more than a page, it would be
    split into itself for ever.
    """

    def __init__(self, flowables: list[Flowable], maxHeight: float | None = None) -> None:  # noqa: N803
        super().__init__(flowables, maxHeight)
        flowables[-1].keepWithNext = 0


class _Pulled(list[Flowable]):
    """A list that fills itself from an iterator, a little ahead of ReportLab's hands.

    ReportLab takes from the front, puts the rest of what it split back, and looks ahead only to keep
    headings with what follows.
    """

    def __init__(self, source: Iterable[Flowable]) -> None:
        super().__init__()
        self._source: Iterator[Flowable] = iter(source)

    def __len__(self) -> int:
        self._fill()
        return super().__len__()

    @overload
    def __getitem__(self, index: SupportsIndex) -> Flowable: ...
    @overload
    def __getitem__(self, index: slice) -> list[Flowable]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Flowable | list[Flowable]:
        self._fill()
        return super().__getitem__(index)

    def _fill(self) -> None:
        while super().__len__() < _AHEAD:
            try:
                flowable = next(self._source)
            except StopIteration:
                return
            if not isinstance(flowable, Flowable):
                raise TypeError(f"flowables() yielded {type(flowable).__name__}, which is no flowable")
            self.append(flowable)
