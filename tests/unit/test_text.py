"""The only way text reaches ReportLab."""

import io
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markupsafe import Markup
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import Flowable, KeepInFrame, KeepTogether, Table

import sqr_jobs.documents.text
from sqr_jobs import Paragraph
from sqr_jobs.documents.layout import lay_out
from sqr_jobs.documents.text import clean, line, style
from tests.unit.pdf_text import pages_of
from tests.unit.samples import Nothing, template_of

STYLES = ["title", "heading", "subheading", "body", "small", "label", "cell"]
PAYLOADS = [
    "<img src='/etc/passwd'/>",
    '<img src="http://127.0.0.1/x.png" width="1" height="1"/>',
    "<a href='http://evil.example'>x</a>",
    "<b>bold</b>",
    "</para><para>",
    "<para align='center'>x</para>",
    "<font name='/etc/passwd'>x</font>",
    "<evalString>1/0</evalString>",
    "<onDraw name='x' label='y'/>",
    "<seq id='x'/>",
    "<bullet>&bull;</bullet>",
    "<![CDATA[<b>x</b>]]>",
    "<!-- x -->",
    "<?xml version='1.0'?>",
    "<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>&y;",
    "&lt;b&gt;",
    "&#60;b&#62;",
    "&amp;",
    "a & b < c > d",
    "%(x)s {0} ${y}",
    "<",
    "&",
]
TEXT = st.one_of(
    st.text(st.characters(), max_size=60),
    st.text("<>&;/\"'= bimg#x0123abp\u0338\u20d2\u0301\n\t", max_size=40),
)


def _plain(paragraph: object) -> str:
    """Read what a paragraph shows, with each run of white space as one blank."""
    texts = ("\n" if getattr(part, "lineBreak", False) else part.text for part in paragraph.frags)
    return unicodedata.normalize("NFC", " ".join("".join(texts).split()))


def _shown(text: str) -> str:
    """Say what is to be seen of a text."""
    return unicodedata.normalize("NFC", " ".join(clean(text).split()))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_a_person_calls_themselves_is_shown_as_it_is(payload: str) -> None:
    """ReportLab embeds `<img src="/etc/passwd">` whatever it trusts: user text must never be parsed."""
    paragraph = Paragraph(f"before {payload} after")
    assert _plain(paragraph) == _shown(f"before {payload} after")
    assert {part.fontName for part in paragraph.frags} == {"NotoSans"}
    assert not [
        part for part in paragraph.frags if getattr(part, "cbDefn", None) or getattr(part, "link", None)
    ]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_person_in_the_hosts_own_markup_is_shown_as_they_are(payload: str) -> None:
    """`Markup("<b>{}</b>").format(name)` keeps the host's bold and escapes the name."""
    paragraph = Paragraph(Markup("Name: <b>{}</b>.").format(payload))
    assert _plain(paragraph) == _shown(f"Name: {payload}.")
    bold = "".join(part.text for part in paragraph.frags if part.fontName == "NotoSans-Bold")
    assert _shown(bold) == _shown(payload)


@settings(max_examples=300)
@given(TEXT)
@example("\u0338")
def test_any_text_is_shown_whole(text: str) -> None:
    """No character may take its neighbours along, nor raise."""
    assert _plain(Paragraph(text)) == _shown(text)


@settings(max_examples=300)
@given(TEXT)
@example("\u0338Bloggs")
@example("\u20d2Bloggs")
def test_any_text_in_the_hosts_own_markup_is_shown_whole(text: str) -> None:
    """A mark that combines with the `>` before it would eat the tag, and the rest of the paragraph."""
    assert _plain(Paragraph(Markup("a<b>{}</b>z").format(text))) == _shown(f"a{text}z")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b\x07c\x1bd\x7fe\x9ff", "abcdef"),
        ("a\x0bb\x0cc\x85d\re\r\nf\u2028g\u2029h", "a\nb\nc\nd\ne\nf\ng\nh"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("\u202egpj.exe", "gpj.exe"),
        ("a\u200bb\u200dc\ufeffd\u00ade", "abcde"),
        ("\u2066a\u2069", "a"),
        ("a\ufffe\uffff\ufdd0\U0001fffeb", "ab"),
        ("tab\there", "tab\there"),
        ("a\nb", "a\nb"),
        ("e\u0301", "\u00e9"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_what_cannot_be_printed_is_taken_out(text: str, shown: str) -> None:
    """A name with a direction mark could make a report say the opposite of what it says."""
    assert clean(text) == shown


@given(st.text(st.characters(), max_size=60))
def test_clean_text_holds_nothing_that_steers(text: str) -> None:
    """Whatever came in; and cleaning it again changes nothing."""
    cleaned = clean(text)
    for character in cleaned:
        assert unicodedata.category(character) not in {"Cc", "Cf", "Cs"} or character in "\n\t"
    assert clean(cleaned) == cleaned == cleaned.encode("utf-8").decode()


@given(st.text(st.characters(), max_size=60))
def test_a_line_is_one_line(text: str) -> None:
    """Titles stand in headers, footers and metadata."""
    assert "\n" not in line(text)
    assert line(text) == line(line(text))
    assert line("a \n\t b\r\nc ") == "a b c"
    assert line("12 Main Street\x0bLondon\u2028UK") == "12 Main Street London UK"


def test_line_breaks_are_kept() -> None:
    """An address in three lines stays an address."""
    template = template_of(lambda: [Paragraph("first\nsecond\r\nthird\x0bfourth")])
    (page,) = pages_of(lay_out(template, Nothing()))
    assert page.index("first\n") < page.index("second\n") < page.index("third\n") < page.index("fourth\n")


@pytest.mark.parametrize("name", STYLES)
def test_every_built_in_style_shows_text(name: str) -> None:
    """By its name, or as the ReportLab style that it is."""
    assert isinstance(style(name), ParagraphStyle)
    assert _plain(Paragraph("x", name)) == _plain(Paragraph("x", style(name))) == "x"


def test_a_style_that_does_not_exist_is_a_key_error() -> None:
    """At the first render, with the name that was wrong."""
    with pytest.raises(KeyError, match="headline"):
        Paragraph("x", "headline")


def test_numbers_and_other_values_are_shown_as_text() -> None:
    """Templates print what they have."""
    assert _plain(Paragraph(Markup("{} of {}").format(3, 4.5))) == "3 of 4.5"


@pytest.mark.parametrize("text", ["&" * 500, "<b>" * 500, "Tom & 'Jerry' " * 500], ids=["&", "<b>", "words"])
def test_text_without_markup_is_one_piece_to_reportlab(text: str) -> None:
    """Its time grows with the square of the pieces: 100 KB of `&`, a piece each, took 33 s to lay out."""
    assert len(Paragraph(text).frags) == 1
    assert _plain(Paragraph(text)) == _shown(text)


@pytest.mark.parametrize(
    "text",
    ["word " * 20_000, "x" * 100_000, "\u202e" * 100_000, ("x" * 60 + "\n") * 1_650],
    ids=["words", "one word", "direction marks", "lines"],
)
def test_a_hundred_kilobytes_of_text_are_laid_out_in_seconds(text: str) -> None:
    """One field that somebody filled with anything must not use up an attempt's minute."""
    content = [Paragraph("before"), Paragraph(text), Paragraph("after")]
    started = time.process_time()
    document = lay_out(template_of(lambda: content), Nothing())
    assert time.process_time() - started < 15
    shown = "".join(pages_of(document))
    assert "before" in shown
    assert "after" in shown


@pytest.mark.parametrize(
    "text",
    [
        " ".join(f"word{number}" for number in range(1_200)),
        "word " * 2_500,
        "x" * 9_000,
        "y" * 3_990 + " " + "z" * 6_000,
        "\n".join(f"line {number}" for number in range(300)),
        "\n" * 300 + "end",
        "a\u00a0b \u2003 c\t" * 1_500,
        "two words\n" + "more words " * 800,
    ],
    ids=[
        "words",
        "words that end with a piece",
        "one word",
        "two words",
        "lines",
        "line breaks",
        "blanks",
        "a line and words",
    ],
)
def test_long_text_is_broken_into_the_lines_that_a_paragraph_would_have(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a piece of it ends must not be seen: no short line, no word lost, doubled or joined."""

    def lines() -> list[str]:
        indented = ParagraphStyle("indented", style("body"), firstLineIndent=40)
        content = [Paragraph("before"), Paragraph(text, indented), Paragraph("after")]
        bare = template_of(lambda: content, draw_page=lambda *_: None)
        shown = "\n".join(pages_of(lay_out(bare, Nothing())))
        return [text for text in shown.split("\n") if text.strip()]

    monkeypatch.setattr("sqr_jobs.documents.text._LONG", 1_000_000)
    monkeypatch.setattr("sqr_jobs.documents.text._MANY_LINES", 1_000_000)
    whole = lines()
    monkeypatch.setattr("sqr_jobs.documents.text._LONG", 100)
    monkeypatch.setattr("sqr_jobs.documents.text._MANY_LINES", 100)
    assert lines() == whole


_AROUND: dict[str, Callable[[Flowable], Flowable]] = {
    "a group": lambda text: KeepTogether([Paragraph("h"), text]),
    "a box that cuts": lambda text: KeepInFrame(300, 300, [text], mode="truncate"),
    "a box that shrinks": lambda text: KeepInFrame(300, 300, [text], mode="shrink"),
    "a row that goes on": lambda text: Table([[text, "x"]], colWidths=[200, 50], splitInRow=1),
}


@pytest.mark.parametrize("around", _AROUND.values(), ids=_AROUND)
def test_long_text_stands_wherever_a_paragraph_can(
    around: Callable[[Flowable], Flowable], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What holds it asks for its height, splits it or draws it as it is."""

    def shown() -> int:
        made = template_of(lambda: [around(Paragraph("word " * 3_000, "cell"))])
        return "".join(pages_of(lay_out(made, Nothing()))).count("word")

    whole = shown()
    assert whole >= 3_000
    monkeypatch.setattr("sqr_jobs.documents.text._LONG", 100)
    assert shown() == whole


def test_a_megabyte_of_text_is_laid_out_in_seconds() -> None:
    """ReportLab alone takes minutes, and an attempt has one: whose name is a book gets a book."""
    text = " ".join(f"{number:07}" for number in range(125_000))
    started = time.process_time()
    document = lay_out(template_of(lambda: [Paragraph(text)]), Nothing())
    assert time.process_time() - started < 40
    with pikepdf.open(io.BytesIO(document)) as pdf:
        assert len(pdf.pages) > 150


@pytest.mark.parametrize(
    "text", [" " * 50_000, "\u3000" * 50_000, " \n" * 25_000], ids=["blanks", "wide", "lines"]
)
def test_blanks_without_end_are_no_error(text: str) -> None:
    """Nothing to show is shown as nothing."""
    document = lay_out(
        template_of(lambda: [Paragraph("before"), Paragraph(text), Paragraph("after")]), Nothing()
    )
    shown = "".join(pages_of(document))
    assert shown.index("before") < shown.index("after")


def test_a_line_is_cut_where_nobody_reads_on() -> None:
    """A title stands in the document once and on each of its pages: it must not be a megabyte there."""
    assert line("word " * 200_000).endswith("word\u2026")
    assert len(line("x" * 1_000_000)) < 5_000
    assert line("x" * 2_000) == "x" * 2_000


def test_the_fonts_are_this_packages_own() -> None:
    """A report must look the same on every machine."""
    folder = Path(sqr_jobs.documents.text.__file__).parent / "fonts"
    assert {path.suffix for path in folder.iterdir()} == {".ttf", ".txt"}
