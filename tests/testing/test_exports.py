"""Public names stand in `__all__`, and importing the package costs little."""

import ast
import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import sqr_jobs
import sqr_jobs_fastapi
import sqr_jobs_flask

PACKAGES = (sqr_jobs, sqr_jobs_flask, sqr_jobs_fastapi)
MODULES = sorted(
    {package.__name__ for package in PACKAGES}
    | {
        found.name
        for package in PACKAGES
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        # Scripts that Alembic and the child's parent run, not modules to import.
        if ".migrations.versions" not in found.name
        and not found.name.endswith((".migrations.env", "__main__"))
    }
)


@pytest.mark.parametrize("name", MODULES)
def test_every_name_that_a_module_promises_is_there(name: str) -> None:
    """A promise that fails at the import is found by the first user otherwise."""
    if name == "sqr_jobs.worker":
        return  # its one name is built on demand from SQR_JOBS_FACTORY
    module = importlib.import_module(name)
    promised = getattr(module, "__all__", [])
    assert len(set(promised)) == len(promised)
    for public in promised:
        assert hasattr(module, public), public


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_of_a_module_is_promised(name: str) -> None:
    """What has no leading underscore and is made here is meant for others, and says so."""
    source = Path(importlib.util.find_spec(name).origin)
    tree = ast.parse(source.read_text(encoding="utf-8"))
    made = {
        node.name
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
    }
    promised: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            promised = set(ast.literal_eval(node.value))
    assert made <= promised, made - promised


def _loaded_by(statement: str) -> set[str]:
    script = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_that_is_large() -> None:
    """A web process pays for what it uses: 26 MB of ReportLab and 50 of boto3 are not among it."""
    loaded = _loaded_by("import sqr_jobs")
    assert not loaded & {
        "reportlab",
        "pikepdf",
        "boto3",
        "botocore",
        "flask",
        "fastapi",
        "starlette",
        "redis",
    }


@pytest.mark.parametrize(
    ("adapter", "other"),
    [("sqr_jobs_flask", "fastapi"), ("sqr_jobs_fastapi", "flask")],
    ids=["Flask", "FastAPI"],
)
def test_each_framework_is_loaded_by_its_own_package_alone(adapter: str, other: str) -> None:
    """A host has the one or the other installed."""
    assert not _loaded_by(f"import {adapter}") & {other, "reportlab", "pikepdf", "boto3"}


@pytest.mark.parametrize(
    ("adapter", "missing", "extra"),
    [("sqr_jobs_flask", "flask", "[flask]"), ("sqr_jobs_fastapi", "fastapi", "[fastapi]")],
    ids=["Flask", "FastAPI"],
)
def test_a_missing_framework_is_told_with_what_to_install(adapter: str, missing: str, extra: str) -> None:
    """The first thing that goes wrong for who forgot the extra."""
    script = f"import sys\nsys.modules[{missing!r}] = None\nimport {adapter}"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.stderr.splitlines()[-1].endswith(f"is missing. Install it: pip install 'sqr-jobs{extra}'.")


def test_importing_the_package_starts_no_thread_and_opens_no_socket() -> None:
    """Nothing happens at import: a server forks afterwards."""
    script = (
        "import sys, threading\n"
        "events = []\n"
        "sys.addaudithook(lambda event, _args: events.append(event))\n"
        "import sqr_jobs\n"
        "connected = {event for event in events if event.startswith('socket.')} - {'socket.__new__'}\n"
        "print(threading.active_count(), sorted(connected))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout == "1 []\n"
