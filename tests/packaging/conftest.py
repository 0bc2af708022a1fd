"""What was built, once, and environments that it is installed into."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.packaging.environments import CleanEnvironment
from tests.packaging.requirements import ROOT

_BUILD_S = 300


@dataclass(frozen=True, kw_only=True)
class Built:
    """The two files that a release consists of."""

    sdist: Path
    wheel: Path
    """Made of the sdist."""
    wheel_of_the_tree: Path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build as a release is built: the sdist of the tree, the wheel of the sdist."""
    release, direct = tmp_path_factory.mktemp("release"), tmp_path_factory.mktemp("direct")
    for arguments in (("--outdir", release), ("--wheel", "--outdir", direct)):
        done = subprocess.run(
            [sys.executable, "-m", "build", *arguments, ROOT],
            capture_output=True,
            text=True,
            timeout=_BUILD_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    (sdist,), (wheel,), (of_the_tree,) = release.glob("*.tar.gz"), release.glob("*.whl"), direct.glob("*.whl")
    return Built(sdist=sdist, wheel=wheel, wheel_of_the_tree=of_the_tree)


def _with(what: Path, extra: str, folder: Path) -> CleanEnvironment:
    made = CleanEnvironment(folder)
    made.install(f"{what}[{extra}]" if extra else str(what))
    shutil.copy(Path(__file__).with_name("clean_host.py"), made.work)
    return made


@pytest.fixture(scope="session")
def base(built: Built, tmp_path_factory: pytest.TempPathFactory) -> CleanEnvironment:
    """Give the wheel without any extra."""
    return _with(built.wheel, "", tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session", params=["fastapi", "flask"])
def framework(
    request: pytest.FixtureRequest, built: Built, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, CleanEnvironment]:
    """Give the wheel with one framework, and its name."""
    return request.param, _with(built.wheel, request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="session", params=["wheel", "sdist"])
def demo(
    request: pytest.FixtureRequest, built: Built, tmp_path_factory: pytest.TempPathFactory
) -> CleanEnvironment:
    """Give the demo's extra, of each file of the release."""
    return _with(getattr(built, request.param), "demo", tmp_path_factory.mktemp(request.param))
