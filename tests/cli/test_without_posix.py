"""What docs/reference/compatibility.md says of Windows, as far as another system can show it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import ROOT, environment

_IMPORT_ALL = """
import importlib, pkgutil, sys
from tests.cli.without_posix import MODULES, take_away
import sqr_jobs, sqr_jobs_fastapi, sqr_jobs_flask
names = [m.name for p in (sqr_jobs, sqr_jobs_fastapi, sqr_jobs_flask)
         for m in pkgutil.walk_packages(p.__path__, p.__name__ + ".")]
take_away()
for name in [name for name in sys.modules if name.startswith("sqr_jobs")]:
    del sys.modules[name]
for name in names:
    if name in ("sqr_jobs.migrations.env", "sqr_jobs.worker"):
        continue  # made by Alembic alone; asks for a factory
    try:
        importlib.import_module(name)
    except AttributeError as error:
        print(name, "lacks", error.name)
    except ModuleNotFoundError as error:
        if error.name in MODULES:  # and not an extra that is not installed
            print(name, "lacks", error.name)
"""


def _run(*arguments: str, folder: Path, **settings: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(folder, **settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_only_the_render_childs_own_module_needs_posix(tmp_path: Path) -> None:
    """Someone on Windows must be able to import, mount and test."""
    found = _run("-c", _IMPORT_ALL, folder=tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
    lacking = ["sqr_jobs.documents.child lacks fcntl", "sqr_jobs.documents.limits lacks resource"]
    assert found.stdout.splitlines() == lacking


@pytest.mark.parametrize("framework", ["fastapi", "flask"])
def test_the_whole_way_is_gone_with_inline_rendering(framework: str, tmp_path: Path) -> None:
    """Create, poll and download, with the worker inside the web process."""
    demo = ("-m", "tests.cli.without_posix", "demo", "--once", "--json", "--framework", framework)
    answer = _run(*demo, "--dir", str(tmp_path / "state"), folder=tmp_path, render="inline")
    assert answer.returncode == 0, answer.stderr
    result = json.loads(answer.stdout)
    assert result["job"]["status"] == "COMPLETE"
    assert Path(result["pdf"]).read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("command", ["demo", "worker"])
def test_render_children_are_refused_at_the_start_with_what_to_set(command: str, tmp_path: Path) -> None:
    """Else each job would fail, with an AttributeError in a log."""
    settings = {"broker_url": "redis://127.0.0.1:1", "database_url": f"sqlite:///{tmp_path}/jobs.db"}
    options = ["--once"] if command == "demo" else ["--factory", "sqr_jobs.demo.app:report_jobs"]
    answer = _run(
        *("-m", "tests.cli.without_posix", command, *options),
        folder=tmp_path,
        **({} if command == "demo" else settings),
    )
    assert (answer.returncode, answer.stdout) == (1, "")
    (line,) = answer.stderr.splitlines()
    assert line.startswith("sqr-jobs: Render children need a POSIX system")
    assert "SQR_JOBS_RENDER=inline" in line
