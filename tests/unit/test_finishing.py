"""From an unfinished PDF to the file that is stored."""

import datetime as dt
import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pikepdf
import pytest
import time_machine
from reportlab.platypus import PageBreak, Table

from sqr_jobs import Paragraph
from sqr_jobs.documents.finishing import About, finish
from sqr_jobs.documents.layout import lay_out
from tests.unit.samples import Nothing, template_of

CREATED_AT = dt.datetime(2025, 5, 5, 10, 0, 0, 123_000, tzinfo=dt.UTC)
ABOUT = About(
    title="Screening of \u00c9mile & <Co>", author="The \u0416 office", subject="A subject", language="en-GB",
    created_at=CREATED_AT,
)  # fmt: skip


def _document(about: About = ABOUT) -> bytes:
    content = [
        Paragraph("A title", "title"),
        Paragraph("Text & more \u0416 " * 200),
        Table([["a", "b"], [Paragraph("c"), "d"]]),
        PageBreak(),
        Paragraph("The end", "heading"),
    ]
    output = io.BytesIO()
    finish(lay_out(template_of(lambda: content), Nothing()), output, about)
    return output.getvalue()


@pytest.fixture(scope="module")
def pdf() -> Iterator[pikepdf.Pdf]:
    """Give a finished document."""
    with pikepdf.open(io.BytesIO(_document())) as opened:
        yield opened


def _streams(pdf: pikepdf.Pdf) -> list[Any]:
    return [item for item in pdf.objects if isinstance(item, pikepdf.Stream)]


def test_a_finished_document_is_sound(pdf: pikepdf.Pdf) -> None:
    """I5: it parses, with nothing for qpdf to complain about."""
    assert pdf.check_pdf_syntax() == []
    assert len(pdf.pages) == 2


def test_info_and_xmp_say_the_same(pdf: pikepdf.Pdf) -> None:
    """PDF/A asks for it, and viewers read the one or the other."""
    info = {name: str(value) for name, value in pdf.docinfo.items()}
    with pdf.open_metadata() as xmp:
        assert info["/Title"] == xmp["dc:title"] == ABOUT.title
        assert [info["/Author"]] == xmp["dc:creator"] == [ABOUT.author]
        assert info["/Subject"] == xmp["dc:description"] == ABOUT.subject
        assert info["/Producer"] == xmp["pdf:Producer"]
        assert info["/Creator"] == xmp["xmp:CreatorTool"]
        assert info["/Producer"].startswith("sqr-jobs ")
        assert info["/CreationDate"] == info["/ModDate"] == "D:20250505100000+00'00'"
        assert xmp["xmp:CreateDate"] == xmp["xmp:ModifyDate"] == "2025-05-05T10:00:00+00:00"
        assert xmp["dc:language"] == {"en-GB"}


def test_the_reader_is_told_the_language_and_shown_the_title(pdf: pikepdf.Pdf) -> None:
    """Screen readers choose their voice by it; a window named after the file helps nobody."""
    assert str(pdf.Root.Lang) == "en-GB"
    assert pdf.Root.ViewerPreferences.DisplayDocTitle is True


def test_what_is_empty_is_left_out() -> None:
    """An empty author is a wrong one."""
    about = About(title="T", author="", subject="", language="en", created_at=CREATED_AT)
    with pikepdf.open(io.BytesIO(_document(about))) as pdf:
        assert not {"/Author", "/Subject", "/Keywords"} & set(pdf.docinfo.keys())
        with pdf.open_metadata() as xmp:
            assert not {"dc:creator", "dc:description"} & {str(key) for key in xmp}


def test_no_stream_is_written_in_ascii_or_behind_a_filter_in_an_array(pdf: pikepdf.Pdf) -> None:
    """ASCII85 adds a quarter; an array of one filter makes qpdf deflate every stream anew."""
    filters = [stream.get("/Filter") for stream in _streams(pdf)]
    assert filters
    for found in filters:
        assert found is None or isinstance(found, pikepdf.Name), found
    assert "/ASCII85Decode" not in {str(found) for found in filters}


def test_every_font_is_embedded(pdf: pikepdf.Pdf) -> None:
    """What the reader's machine has must not matter; tables name a font of their own."""
    fonts = [
        item for item in pdf.objects if isinstance(item, pikepdf.Dictionary) and item.get("/Type") == "/Font"
    ]
    assert len(fonts) >= 2
    for font in fonts:
        assert font.Subtype == "/TrueType", font.BaseFont
        assert len(font.FontDescriptor.FontFile2.read_bytes()) > 1_000
        assert "/ToUnicode" in font


def test_no_page_has_an_empty_transition(pdf: pikepdf.Pdf) -> None:
    """ReportLab writes one on each page, and PDF/A refuses it."""
    assert not [page for page in pdf.pages if "/Trans" in page]


def test_objects_lie_in_streams(pdf: pikepdf.Pdf) -> None:
    """A third less for a report of many pages."""
    assert [
        stream for stream in _streams(pdf) if stream.get("/Type") == "/ObjStm"
    ] or pdf.pdf_version >= "1.5"


def test_the_same_content_gives_the_same_bytes_whenever_it_is_made() -> None:
    """Nothing of the present may be in it, nor its id be drawn by lot."""
    first = _document()
    with time_machine.travel(dt.datetime(2031, 1, 1, tzinfo=dt.UTC)):
        assert _document() == first


def test_the_same_content_gives_the_same_bytes_in_every_process() -> None:
    """Nor may the order of a set be in it: each process hashes text differently."""
    script = (
        "import hashlib\n"
        "from tests.unit.test_finishing import _document\n"
        "print(hashlib.sha256(_document()).hexdigest())\n"
    )
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo"},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        assert run.stdout.strip() == hashlib.sha256(_document()).hexdigest()


def test_other_content_has_another_id(pdf: pikepdf.Pdf) -> None:
    """The id tells documents apart."""
    other = About(title="Another", author="", subject="", language="en", created_at=CREATED_AT)
    with pikepdf.open(io.BytesIO(_document(other))) as another:
        assert bytes(another.trailer.ID[1]) != bytes(pdf.trailer.ID[1])
