"""What is in the two files of a release."""

import hashlib
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.packaging.conftest import Built
from tests.packaging.requirements import BASE, FLOORS, ROOT, lowest

_PACKAGES = ("sqr_jobs", "sqr_jobs_fastapi", "sqr_jobs_flask")
_EXTRAS = {"demo", "fastapi", "flask", "mysql", "postgres", "rabbitmq", "redis", "s3"}


@pytest.fixture(scope="module")
def names(built: Built) -> set[str]:
    """Name every file of the wheel."""
    with zipfile.ZipFile(built.wheel) as wheel:
        return set(wheel.namelist())


@pytest.fixture(scope="module")
def metadata(built: Built) -> Message:
    """Read what the wheel says of itself."""
    with zipfile.ZipFile(built.wheel) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(wheel.read(name).decode())


def test_the_wheel_has_the_three_packages_whole_and_nothing_else(names: set[str]) -> None:
    """A font, a migration or a script of the demo's page that is missing shows on somebody's machine only."""
    tree = {
        str(path.relative_to(ROOT))
        for package in _PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if ".dist-info/" not in name} == tree


@pytest.mark.parametrize(
    "name",
    [
        *(f"{package}/py.typed" for package in _PACKAGES),
        *(f"sqr_jobs/documents/fonts/NotoSans-{face}.ttf" for face in ("Regular", "Bold", "Italic")),
        "sqr_jobs/documents/fonts/OFL.txt",
        "sqr_jobs/migrations/versions/sqr_jobs_0001_jobs.py",
        "sqr_jobs/demo/page/page.html",
        "sqr_jobs/demo/page/page.js",
        "sqr_jobs/demo/page/page.css",
    ],
)
def test_the_wheel_has_what_is_read_at_run_time(name: str, names: set[str]) -> None:
    """Named here, so that nobody takes it out of the tree by accident."""
    assert name in names


def test_the_licences_go_with_the_wheel(names: set[str], metadata: Message) -> None:
    """MIT asks for it, and so does the fonts' licence."""
    assert metadata["License-Expression"] == "MIT"
    kept = {name.partition(".dist-info/licenses/")[2] for name in names if ".dist-info/licenses/" in name}
    assert kept == {"LICENSE", "sqr_jobs/documents/fonts/OFL.txt"}


def test_the_sdist_makes_the_same_wheel_as_the_tree(built: Built) -> None:
    """Whoever builds from the sdist, as distributions do, gets what was tested."""
    first, second = (_digest(wheel) for wheel in (built.wheel, built.wheel_of_the_tree))
    assert first == second


def test_the_sdist_has_what_a_packager_needs_to_test_it(built: Built) -> None:
    """Tests, their pins, and the documents that the first page links to."""
    with tarfile.open(built.sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    asked = {"LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md", "noxfile.py"}
    asked |= {"pyproject.toml", ".ci/constraints.txt", "docs/README.md", "tests/conftest.py"}
    assert asked - names == set()
    assert [name for name in names if "__pycache__" in name or name.endswith(".pyc")] == []


def test_the_extras_are_those_that_the_docs_name(metadata: Message) -> None:
    """An extra that pip does not know is a warning and nothing else."""
    assert set(metadata.get_all("Provides-Extra", [])) == _EXTRAS


@pytest.mark.parametrize("name", FLOORS)
def test_the_metadata_keeps_to_the_floors_of_security(name: str, metadata: Message) -> None:
    """A resolver reads this, and not pyproject.toml."""
    floor, extra = FLOORS[name]
    asked = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    (found,) = (one for one in asked if one.name.lower() == name and _is_of(one, extra))
    assert lowest(found) >= Version(floor)


def _is_of(requirement: Requirement, extra: str) -> bool:
    if requirement.marker is None:
        return extra == BASE
    return bool(extra) and requirement.marker.evaluate({"extra": extra})


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
