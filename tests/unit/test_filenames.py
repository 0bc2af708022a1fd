"""File names that people like and every file system takes."""

import re
import unicodedata
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sqr_jobs import User
from sqr_jobs.domain.filenames import content_disposition, default_filename, safe_filename

ANY_TEXT = st.text(st.characters(), max_size=300)
NASTY = st.one_of(
    ANY_TEXT,
    st.from_regex(r"\A(con|PRN|aux|nul|com[0-9¹²³]|LPT[0-9])(\.[a-z]{0,200})?\Z"),
    st.text('./\\:*?"<>|~-_ \u202e\u0301\u00e9\ud800\x00\x7f\U0001f642', max_size=80),
)
JOB_ID = "0c7b6a3e-0000-4000-8000-000000000001"
WINDOWS_DEVICE = re.compile(
    r"(con|prn|aux|nul|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3])(\.|$)", re.IGNORECASE
)


def _is_safe(name: str) -> None:
    assert name.endswith(".pdf")
    assert len(name.encode("utf-8")) <= 150
    assert len(name) > len(".pdf")
    assert name[0] not in "-_."
    assert name[-5] not in "-_."
    assert not WINDOWS_DEVICE.match(name)
    for character in name:
        assert unicodedata.category(character)[0] in "LNM" or character in "-_.", ascii(character)


def _user(given_name: str, family_name: str) -> User:
    return User(user_id="U1", given_name=given_name, family_name=family_name)


@given(NASTY)
@example("con." + "a" * 142)
@example("COM\u00b9")
@example("lpt\u00b3.x")
@example(".pdf")
@example("a.pdf.pdf")
@example("\u0301" * 80)
@example("e\u0301" * 100)
def test_whatever_a_hook_names_a_file_the_name_is_safe(name: str) -> None:
    """The host's hook may return anything; a client saves the file wherever it is."""
    _is_safe(safe_filename(name))


@given(NASTY)
def test_a_safe_name_stays_as_it_is(name: str) -> None:
    """A name that changed at each step would not be the one that the API told."""
    safe = safe_filename(name)
    assert safe_filename(safe) == safe


@given(NASTY, NASTY)
def test_a_default_name_is_safe_whoever_the_person_is(given_name: str, family_name: str) -> None:
    """People are called what they are called, and test data is worse."""
    name = default_filename(_user(given_name, family_name), JOB_ID)
    _is_safe(name)
    assert re.fullmatch(r"SQR(_.*)?_[A-Z2-9]{4}\.pdf", name)


@pytest.mark.parametrize(
    ("given_name", "family_name", "expected"),
    [
        ("John", "Smith", r"SQR_J_Smith_[A-Z2-9]{4}\.pdf"),
        ("  mary ann", "O'Neill", r"SQR_m_O-Neill_[A-Z2-9]{4}\.pdf"),
        ("\u00c9mile", "Zola", r"SQR_\u00c9_Zola_[A-Z2-9]{4}\.pdf"),
        ("E\u0301mile", "Zola", r"SQR_\u00c9_Zola_[A-Z2-9]{4}\.pdf"),
        (
            "\u0416",
            "\u0416\u0443\u043a\u043e\u0432",
            r"SQR_\u0416_\u0416\u0443\u043a\u043e\u0432_[A-Z2-9]{4}\.pdf",
        ),
        ("", "Cher", r"SQR_Cher_[A-Z2-9]{4}\.pdf"),
        ("", "", r"SQR_[A-Z2-9]{4}\.pdf"),
        ("../..", "/etc/passwd", r"SQR_.*etc-passwd_[A-Z2-9]{4}\.pdf"),
        ("A", "x" * 500, r"SQR_A_x{60}_[A-Z2-9]{4}\.pdf"),
    ],
)
def test_a_default_name_reads_as_the_contract_writes_it(
    given_name: str, family_name: str, expected: str
) -> None:
    """`SQR_{initial}_{surname}_{4 letters or digits}.pdf`."""
    assert re.fullmatch(expected, default_filename(_user(given_name, family_name), JOB_ID))


def test_the_same_job_keeps_its_name_and_another_has_another() -> None:
    """Downloading twice must not look like two reports, and two reports not like one."""
    john = _user("John", "Smith")
    names = {default_filename(john, f"{JOB_ID}{number}") for number in range(100)}
    assert len(names) > 95
    assert default_filename(john, JOB_ID) == default_filename(john, JOB_ID)


def test_the_letters_of_a_name_can_be_read_out_aloud() -> None:
    """No 0, O, 1 or I: people read file names to each other."""
    suffixes = "".join(default_filename(_user("J", "S"), str(number))[-8:-4] for number in range(300))
    assert set(suffixes) <= set("ABCDEFGHJKLMNPQRSTUVWXYZ23456789")


@given(NASTY)
@example('a"; filename=evil.exe; x="')
@example("a\r\nSet-Cookie: x=1")
def test_a_disposition_is_one_line_of_ascii_that_gives_the_name_back(name: str) -> None:
    """RFC 6266: whatever the name, no header can be added through it."""
    safe = safe_filename(name)
    value = content_disposition(safe)
    match = re.fullmatch(r"attachment; filename=\"([A-Za-z0-9._-]*)\"; filename\*=UTF-8''([^\s\"';]+)", value)
    assert match is not None
    assert value.isascii()
    assert unquote(match[2], errors="strict") == safe
    assert match[1].endswith(".pdf")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=100))
def test_a_disposition_is_one_line_of_ascii_for_any_text(name: str) -> None:
    """It also gets names that came out of a signed link."""
    value = content_disposition(name)
    assert value.isascii()
    assert value.isprintable()
    assert value.count('"') == 2
