"""From flowables to pages."""

import io
import re
from collections.abc import Iterator

import pikepdf
import pytest
from PIL import Image as PillowImage
from pydantic import BaseModel
from reportlab.graphics.shapes import Drawing
from reportlab.graphics.shapes import Image as ImageShape
from reportlab.platypus import Flowable, PageBreak, Spacer
from reportlab.platypus.doctemplate import LayoutError

from sqr_jobs import Paragraph
from sqr_jobs.documents.layout import lay_out
from tests.unit.pdf_text import pages_of
from tests.unit.samples import Nothing, template_of


class _Counted(Flowable):
    """A line that notes when it is drawn."""

    def __init__(self, drawn: list[int], number: int) -> None:
        super().__init__()
        self.width, self.height = 10, 20
        self._drawn, self._number = drawn, number

    def draw(self) -> None:
        self._drawn.append(self._number)


def test_content_is_pulled_as_pages_fill() -> None:
    """A report of a hundred thousand rows must never lie in memory as a whole."""
    drawn: list[int] = []
    ahead: list[int] = []

    def content() -> Iterator[Flowable]:
        for number in range(2_000):
            ahead.append(number - len(drawn))
            yield _Counted(drawn, number)

    lay_out(template_of(content), Nothing())
    assert drawn == list(range(2_000))
    assert max(ahead) <= 40


@pytest.mark.parametrize("total", [1, 12, 120])
def test_every_page_tells_its_number_and_how_many_there_are(total: int) -> None:
    """A printed report that lost a page must show it."""

    def content() -> Iterator[Flowable]:
        for number in range(total):
            if number:
                yield PageBreak()
            yield Paragraph(f"content {number}")

    pages = pages_of(lay_out(template_of(content), Nothing()))
    assert len(pages) == total
    for number, page in enumerate(pages, start=1):
        assert re.search(rf"Page {number} of\s+{total}\b", page), page
        assert f"content {number - 1}\n" in page


def test_a_heading_stays_with_what_follows() -> None:
    """Though the content is pulled piece by piece, the look ahead is there."""

    def content() -> Iterator[Flowable]:
        yield Spacer(1, 660)
        yield Paragraph("The heading", "heading")
        yield Paragraph("what follows")
        yield from (Paragraph(f"more {number}") for number in range(50))

    pages = pages_of(lay_out(template_of(content), Nothing()))
    (with_heading,) = [page for page in pages if "The heading" in page]
    assert "what follows" in with_heading
    assert with_heading is pages[1]


@pytest.mark.parametrize(
    ("behind", "pages"),
    [([], 2), ([PageBreak()], 2), ([PageBreak(), Paragraph("x")], 3), ([Paragraph("x")], 2)],
    ids=["the end", "a page break and the end", "a page break", "text"],
)
@pytest.mark.parametrize("name", ["heading", "subheading"])
def test_a_heading_of_more_than_a_page_comes_to_an_end(name: str, behind: list[Flowable], pages: int) -> None:
    """ReportLab keeps a heading without a follower with itself, and splits that for ever."""
    heading = Paragraph("word " * (500 if name == "heading" else 900), name)
    document = lay_out(template_of(lambda: [heading, *behind], draw_page=lambda *_: None), Nothing())
    shown = pages_of(document)
    assert len(shown) == pages
    assert "".join(shown).count("word") == (500 if name == "heading" else 900)
    assert shown[-1].strip()


def test_a_template_without_content_makes_one_page() -> None:
    """A PDF without any page is one that no viewer opens."""
    pages = pages_of(lay_out(template_of(list), Nothing()))
    assert len(pages) == 1
    assert re.search(r"Page 1 of\s+1", pages[0])


@pytest.mark.parametrize("odd", [None, "text", 3, object()], ids=lambda value: type(value).__name__)
def test_what_is_no_flowable_fails_the_render_instead_of_cutting_it_short(odd: object) -> None:
    """Half a report that looks whole is worse than none."""

    def content() -> Iterator[Flowable]:
        yield Paragraph("first")
        for _ in range(60):
            yield odd
        yield Paragraph("last")

    with pytest.raises(Exception, match=r".+"):
        lay_out(template_of(content), Nothing())


def test_content_that_is_too_large_for_a_page_is_an_error() -> None:
    """ReportLab would try for ever, page after page."""
    with pytest.raises(LayoutError):
        lay_out(template_of(lambda: [Spacer(1, 5_000)]), Nothing())


def test_an_error_of_the_content_reaches_the_caller_as_it_is() -> None:
    """The stack in the log must name the template's own line."""

    def content() -> Iterator[Flowable]:
        yield Paragraph("first")
        raise KeyError("no such column")

    with pytest.raises(KeyError, match="no such column"):
        lay_out(template_of(content), Nothing())


def test_page_size_and_margins_are_the_templates_own() -> None:
    """Letters, landscapes and labels."""
    seen: list[tuple[float, float]] = []

    class Measured(Flowable):
        def wrap(self, width: float, height: float) -> tuple[float, float]:
            seen.append((width, height))
            return width, 10

        def draw(self) -> None:
            pass

    template = template_of(lambda: [Measured()], page_size=(500, 400), margins=(50, 40, 30, 20))
    lay_out(template, Nothing())
    assert seen[0] == pytest.approx((440, 320))


def test_a_title_from_user_text_is_one_line_that_fits_and_is_no_pattern() -> None:
    """It stands in the foot of every page: it must neither run over the number nor be taken for one."""

    def title(_self: object, _data: BaseModel) -> str:
        return "A\nlong {total} <b>{number}</b> " + "name " * 100

    (page,) = pages_of(lay_out(template_of(lambda: [Paragraph("x")], title=title), Nothing()))
    assert "A long {total} <b>{number}</b> name" in page
    assert "\u2026" in page
    assert page.count("name") < 30
    assert re.search(r"Page 1 of\s+1\b", page)


def test_header_and_footer_hold_their_texts() -> None:
    """The hooks that a template's own `draw_page` has."""

    def draw_page(_self: object, canvas: object, page: object, _data: BaseModel) -> None:
        page.header(canvas, left="head left", right="head right")
        page.footer(canvas, left="foot left", pages="{number}/{total} pages")

    (page,) = pages_of(lay_out(template_of(lambda: [Paragraph("x")], draw_page=draw_page), Nothing()))
    for text in ("head left", "head right", "foot left"):
        assert text in page
    assert re.search(r"1/\s*1\s*pages", page)


def test_the_same_content_gives_the_same_bytes() -> None:
    """An attempt may be repeated."""
    template = template_of(lambda: [Paragraph("x", "title"), Paragraph("y " * 500)])
    assert lay_out(template, Nothing()) == lay_out(template, Nothing())


def test_an_inline_image_is_drawn_like_any_other() -> None:
    """Charts draw theirs inline, which ReportLab can't do without ASCII85."""
    drawing = Drawing(50, 50)
    drawing.add(ImageShape(0, 0, 50, 50, PillowImage.new("RGB", (4, 4), "red")))
    with pikepdf.open(io.BytesIO(lay_out(template_of(lambda: [drawing]), Nothing()))) as pdf:
        assert any(
            item.get("/Subtype") == "/Image" for item in pdf.objects if isinstance(item, pikepdf.Stream)
        )
