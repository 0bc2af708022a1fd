"""The page of Python names has every public name, with all that one can pass and call."""

import dataclasses
import enum
import inspect
import re
from types import ModuleType

import pytest

import sqr_jobs
import sqr_jobs.testing
import sqr_jobs_fastapi
import sqr_jobs_flask
from tests.docs.pages import DOCS

_PAGE = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
_MODULES = (sqr_jobs, sqr_jobs_fastapi, sqr_jobs_flask, sqr_jobs.testing)
_NAMES = [(module, name) for module in _MODULES for name in module.__all__]

names = pytest.mark.parametrize(
    ("module", "name"), _NAMES, ids=[f"{module.__name__}.{name}" for module, name in _NAMES]
)


@names
def test_every_public_name_has_an_entry_in_its_modules_section(module: ModuleType, name: str) -> None:
    """A name that stands nowhere is a name that nobody may rely on."""
    assert re.search(rf"^\*\*`{name}\b", _section(module), re.MULTILINE)


@names
def test_every_argument_and_method_is_named(module: ModuleType, name: str) -> None:
    """What can be passed and called is part of the promise."""
    public = getattr(module, name)
    words = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", _section(module)))))
    assert _promised(public) - words == set()


def test_the_page_promises_nothing_that_is_not_there() -> None:
    """A removed name leaves the page too."""
    entries = set(re.findall(r"^\*\*`(\w+)", _PAGE, re.MULTILINE))
    assert entries == {name for _, name in _NAMES}


def _section(module: ModuleType) -> str:
    parts = re.split(r"^## (.+)$", _PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[module.__name__]


def _promised(public: object) -> set[str]:
    """Name the parameters of a function, the fields and methods of a class, the members of an enum."""
    if inspect.isfunction(public):
        return set(inspect.signature(public).parameters)
    if not inspect.isclass(public) or public is sqr_jobs.Settings:
        return set()  # settings.md has the settings
    if issubclass(public, enum.Enum):
        return set() if public is sqr_jobs.JobErrorCode else set(public.__members__)
    if dataclasses.is_dataclass(public):
        return {field.name for field in dataclasses.fields(public)} | _methods(public)
    return _methods(public)


def _methods(public: type) -> set[str]:
    return {
        name
        for name, value in vars(public).items()
        if not name.startswith(("_", "test_"))
        and (inspect.isroutine(value) or isinstance(value, property | staticmethod))
    }
