"""The page of Python names has every public name, and says of each what its docstring says.

Renew it with `python -m tests.docs.python_reference`.
"""

import builtins
import importlib
import re

import pytest

from sqr_jobs import Settings, errors
from tests.docs.python_reference import PAGE, SECTIONS, Name, Section, names, written

_NAMES = list(names())

every_name = pytest.mark.parametrize(
    ("section", "name"), _NAMES, ids=[f"{section.module}.{name.name}" for section, name in _NAMES]
)


def test_the_page_is_what_the_docstrings_say() -> None:
    """Two descriptions of one thing drift apart."""
    assert PAGE.read_text(encoding="utf-8") == written(), "renew it: python -m tests.docs.python_reference"


@pytest.mark.parametrize("module", sorted({section.module for section in SECTIONS if section.names}))
def test_every_public_name_has_an_entry(module: str) -> None:
    """A name that stands nowhere is a name that nobody may rely on."""
    entries = sorted(name for section in SECTIONS if section.module == module for name in section.names)
    assert entries == sorted(importlib.import_module(module).__all__)


@every_name
def test_every_public_name_says_what_it_is(section: Section, name: Name) -> None:
    """`help()` is where one looks first."""
    silent = [method.name for method in name.methods if not method.text]
    silent += [field.name for field in name.fields if "property" in field.source.labels and not field.text]
    assert (bool(name.text), silent) == (True, [])


@every_name
def test_what_raises_says_what_and_names_no_unknown_error(section: Section, name: Name) -> None:
    """Someone writes an `except` by it."""
    told = [name, *name.methods]
    spoken = {word.strip("`.,()") for text in told for word in text.text.split() if word.startswith("`")}
    like_errors = {word for word in spoken if word.endswith(("Error", "Unavailable", "Refused", "Reused"))}
    assert {word.rpartition(".")[2] for word in like_errors} <= {*errors.__all__, *dir(builtins)}


def test_every_error_that_a_host_may_meet_is_named() -> None:
    """All but those of one attempt, which never leave the worker."""
    page = PAGE.read_text(encoding="utf-8")
    of_attempts = {name for name in errors.__all__ if issubclass(getattr(errors, name), errors.AttemptEnded)}
    told = set(re.findall(r"^(?:- \[?`|### )(\w+)", page, re.MULTILINE))
    assert set(errors.__all__) - of_attempts - told == set()


def test_settings_are_on_their_own_page() -> None:
    """One table is enough."""
    entry = PAGE.read_text(encoding="utf-8").partition("### Settings")[2].partition("\n### ")[0]
    assert [name for name in Settings.model_fields if f"- `{name}" in entry] == []
