"""Who asks, and about whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqr_jobs import Caller, User
from sqr_jobs.domain.caller import user_id_faults


@pytest.mark.parametrize(
    "user_id", ["U", "x" * 16, "\U0001f642" * 16, " ", "us1 ", "\u00e9", "e\u0301", "' OR 1=1", "\u202e", "%"]
)
def test_one_to_sixteen_characters_are_a_user_id(user_id: str) -> None:
    """The contract counts characters and takes them as they are."""
    assert user_id_faults(user_id) == []


@pytest.mark.parametrize(
    ("user_id", "words"),
    [
        ("", ["1 to 16 characters; this one has 0"]),
        ("x" * 17, ["this one has 17"]),
        ("a\x00", ["control"]),
        ("a\n", ["control"]),
        ("\x7f", ["control"]),
        ("\x85", ["control"]),
        ("\ud800", ["surrogate"]),
        ("\x00" + "\udfff" * 16, ["this one has 17", "control", "surrogate"]),
    ],
)
def test_what_is_no_user_id_is_told_with_a_sentence_per_fault(user_id: str, words: list[str]) -> None:
    """A client mends its request at the first try."""
    faults = user_id_faults(user_id)
    assert len(faults) == len(words)
    for fault, word in zip(faults, words, strict=True):
        assert word in fault
        assert fault.endswith(".")
        assert fault.startswith("userId must")


@given(st.text(st.characters(), max_size=40))
def test_a_user_id_without_faults_can_be_stored_and_printed(user_id: str) -> None:
    """A lone surrogate fails inside the driver, a NUL inside PostgreSQL."""
    if not user_id_faults(user_id):
        assert user_id.encode("utf-8")
        assert "\x00" not in user_id
        assert 1 <= len(user_id) <= 16


def test_a_persons_names_are_not_shown_by_accident() -> None:
    """I15: a User in a log line or a stack must not tell who they are."""
    assert "Bloggs" not in repr(User(user_id="U1", given_name="Jo", family_name="Bloggs"))
    assert repr(Caller(org_id="acme"))
