"""What an installation brings: no more than is used, nothing that is known to be unsafe."""

import ast
import sys
from pathlib import Path

import pytest
from packaging.version import Version

from tests.packaging.requirements import BASE, FLOORS, ROOT, declared, lowest, pinned

_PACKAGES = ("sqr_jobs", "sqr_jobs_flask", "sqr_jobs_fastapi")
_NOT_BASE = ("sqr_jobs/demo", "sqr_jobs/testing", "sqr_jobs_flask", "sqr_jobs_fastapi")
_DISTRIBUTIONS = {
    "anyio": "starlette",  # which runs on it
    "botocore": "boto3",  # which pins it
    "jwt": "pyjwt",
    "pydantic_core": "pydantic",  # likewise
    "pydantic_settings": "pydantic-settings",
    "typing_extensions": "pydantic",  # which has it in its own interface
}
_BROUGHT_BY_THE_USER = {"pytest"}  # whoever uses the pytest plugin has it

floors = pytest.mark.parametrize("name", FLOORS)


@floors
def test_no_installation_admits_a_version_with_a_known_hole(name: str) -> None:
    """A resolver may choose the lowest version; a floor that only the newest release meets is none."""
    floor, extra = FLOORS[name]
    assert lowest(declared()[extra][name]) >= Version(floor)


@floors
def test_the_checks_run_with_no_version_that_has_a_known_hole(name: str) -> None:
    """The pins are what a contributor installs."""
    assert pinned()[name] >= Version(FLOORS[name][0])


@floors
def test_every_floor_stands_in_the_docs(name: str) -> None:
    """Someone who pins versions of their own looks it up there."""
    page = (ROOT / "docs" / "reference" / "compatibility.md").read_text(encoding="utf-8")
    assert f"| `{name}` | {FLOORS[name][0]} |" in page


def test_nothing_brings_python_multipart() -> None:
    """Forms are not read here, and its parser had holes."""
    assert not any("python-multipart" in asked for asked in declared().values())
    assert "python-multipart" not in pinned()


def test_the_base_asks_for_nothing_that_it_does_not_import() -> None:
    """Each package is a risk and some megabytes in every host's image."""
    assert set(declared()[BASE]) - _imported(BASE) == set()


def test_every_package_that_is_imported_is_asked_for() -> None:
    """What comes by way of another package is gone with its next release."""
    asked = {name for extra in declared().values() for name in extra}
    assert {name for where in (BASE, *_NOT_BASE) for name in _imported(where)} - asked == set()


@pytest.mark.parametrize("extra", ["fastapi", "flask"])
def test_a_frameworks_package_needs_its_own_extra_alone(extra: str) -> None:
    """A host of one framework does not install the other."""
    assert _imported(f"sqr_jobs_{extra}") <= {*declared()[extra], *declared()[BASE]}


def test_every_bound_is_a_lower_bound() -> None:
    """A requirement without one would admit versions that nobody has tried."""
    asked = [found for extra in declared().values() for found in extra.values()]
    assert [str(found) for found in asked if found.name != "sqr-jobs" and lowest(found) == Version("0")] == []


def _imported(where: str) -> set[str]:
    """Name the distributions that the modules of a part import, at any time."""
    paths = set((ROOT / (where or "sqr_jobs")).rglob("*.py"))
    if where == BASE:
        paths -= {path for part in _NOT_BASE for path in (ROOT / part).rglob("*.py")}
    modules = {name for path in paths for name in _imports_of(path)}
    return {_DISTRIBUTIONS.get(name, name) for name in modules} - _BROUGHT_BY_THE_USER


def _imports_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):  # what the type checker alone imports, nobody has to install
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names} - {*sys.stdlib_module_names, *_PACKAGES}
