"""Every public name is used in `tests/typing`, where mypy holds it to what a host may write."""

import re
from importlib import import_module
from importlib.resources import files
from pathlib import Path

import pytest

_PUBLIC = (
    "sqr_jobs",
    "sqr_jobs.migrations",
    "sqr_jobs.testing",
    "sqr_jobs.web",
    "sqr_jobs_fastapi",
    "sqr_jobs_flask",
)
_HOSTS = "\n".join(
    path.read_text(encoding="utf-8") for path in (Path(__file__).parents[1] / "typing").glob("*.py")
)


@pytest.mark.parametrize("module", _PUBLIC)
def test_the_type_of_every_public_name_is_checked(module: str) -> None:
    """A parameter that changed its type breaks a host's checks, and no test that runs."""
    assert [name for name in import_module(module).__all__ if not re.search(rf"\b{name}\b", _HOSTS)] == []


@pytest.mark.parametrize("package", ["sqr_jobs", "sqr_jobs_fastapi", "sqr_jobs_flask"])
def test_every_package_says_that_it_is_typed(package: str) -> None:
    """PEP 561: without the marker, a type checker takes every name of ours for Any."""
    assert files(package).joinpath("py.typed").is_file()
