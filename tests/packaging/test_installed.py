"""What an installation can do, and what it says of what it can't."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.version import Version

from tests.packaging.environments import CleanEnvironment
from tests.packaging.requirements import BASE, FLOORS, ROOT

_OF_EXTRAS = {
    "boto3",
    "fastapi",
    "flask",
    "httpx",
    "pika",
    "psycopg",
    "pymysql",
    "redis",
    "starlette",
    "uvicorn",
}
_OF_DEMO = {BASE, "fastapi", "flask", "postgres", "redis", "s3"}
_MOUNT = "import clean_host, sqr_jobs; sqr_jobs.mount(clean_host.report_jobs, has_own_login=True)"
_SHARED = {"SQR_JOBS_DATABASE_URL": "sqlite:///jobs.db"}


def test_the_base_is_small(base: CleanEnvironment) -> None:
    """A host of one framework pays for no other, nor for servers that it does not have."""
    assert set(_installed(base)) & _OF_EXTRAS == set()
    assert base.tells("python", "-m", "pip", "check").strip() == "No broken requirements found."


def test_the_base_imports_without_a_warning(base: CleanEnvironment) -> None:
    """It comes from the environment and not from the tree."""
    told = base.tells("python", "-W", "error", "-c", "import sqr_jobs; print(sqr_jobs.__file__)")
    assert Path(told.strip()).is_relative_to(base.python.parents[1])


def test_the_command_line_explains_itself_in_the_base(base: CleanEnvironment) -> None:
    """The first thing that somebody tries."""
    told = base.tells("sqr-jobs", "--help")
    assert "demo" in told
    assert "worker" in told


def test_the_base_makes_a_report(base: CleanEnvironment) -> None:
    """Job store, worker, render child, fonts and links need no extra."""
    told = base.tells("python", "-c", "import clean_host; clean_host.without_framework()")
    assert told.split()[0] == "COMPLETE"
    assert told.split()[1].endswith(".pdf")


@pytest.mark.parametrize(
    ("extra", "command", "variables"),
    [
        ("fastapi", ("python", "-c", "import sqr_jobs_fastapi"), {}),
        ("flask", ("python", "-c", "import sqr_jobs_flask"), {}),
        ("demo", ("sqr-jobs", "demo", "--once"), {}),
        ("redis", ("sqr-jobs", "worker"), {"SQR_JOBS_BROKER_URL": "redis://host", **_SHARED}),
        ("redis", ("python", "-c", _MOUNT), {"SQR_JOBS_BROKER_URL": "redis://host", **_SHARED}),
        ("redis", ("python", "-c", _MOUNT), {"SQR_JOBS_LIMITER_URL": "redis://host"}),
        ("rabbitmq", ("sqr-jobs", "worker"), {"SQR_JOBS_BROKER_URL": "amqp://host", **_SHARED}),
        ("rabbitmq", ("python", "-c", _MOUNT), {"SQR_JOBS_BROKER_URL": "amqp://host", **_SHARED}),
        ("postgres", ("sqr-jobs", "db", "upgrade"), {"SQR_JOBS_DATABASE_URL": "postgresql://host/name"}),
        ("postgres", ("python", "-c", _MOUNT), {"SQR_JOBS_DATABASE_URL": "postgresql://host/name"}),
        ("s3", ("python", "-c", _MOUNT), {"SQR_JOBS_S3_BUCKET": "bucket"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_missing_extra_is_named_at_the_start(
    base: CleanEnvironment, extra: str, command: tuple[str, ...], variables: dict[str, str]
) -> None:
    """Whoever set it up reads what to type; no client meets it first."""
    done = base.run(*command, SQR_JOBS_FACTORY="clean_host:report_jobs", **variables)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert f"pip install 'sqr-jobs[{extra}]'" in last, done.stderr
    assert last.startswith("sqr-jobs: ") or "Error: " in last


def test_each_framework_alone_goes_the_whole_way(framework: tuple[str, CleanEnvironment]) -> None:
    """Mounted, asked, polled and downloaded."""
    name, environment = framework
    told = environment.tells("python", "-c", f"import clean_host; clean_host.mounted_in('{name}')")
    assert told.split() == ["COMPLETE", "%PDF", "True"]
    assert set(_installed(environment)) & {"fastapi", "flask"} == {name}


def test_what_brings_a_package_with_a_floor_declares_it(framework: tuple[str, CleanEnvironment]) -> None:
    """A floor holds only where it is asked for."""
    name, environment = framework
    brought = {package for package in _installed(environment) if package in FLOORS}
    assert brought == {package for package, (_, extra) in FLOORS.items() if extra in (BASE, name)}


def test_the_demo_runs_with_each_framework(demo: CleanEnvironment) -> None:
    """README's first command."""
    for framework in ("fastapi", "flask"):
        once = ("demo", "--once", "--json", "--framework", framework)
        result = json.loads(demo.tells("sqr-jobs", *once))
        assert result["job"]["status"] == "COMPLETE"
        document = Path(result["pdf"])
        assert document.read_bytes().startswith(b"%PDF")
        assert document.is_relative_to(demo.work)
    assert demo.tells("python", "-m", "pip", "check").strip() == "No broken requirements found."
    assert "python-multipart" not in _installed(demo)
    installed = _installed(demo)
    brought = {package: floor for package, (floor, extra) in FLOORS.items() if extra in _OF_DEMO}
    assert all(Version(installed[package]) >= Version(floor) for package, floor in brought.items())


@pytest.mark.parametrize("demo", ["wheel"], indirect=True)
def test_a_hosts_code_is_type_checked_against_what_was_installed(demo: CleanEnvironment) -> None:
    """`py.typed` arrived, and the annotations need nothing that only the tree has."""
    demo.install("types-reportlab")
    files = [shutil.copy(ROOT / "tests" / "typing" / name, demo.work) for name in ("host.py", "service.py")]
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", demo.python]
    done = subprocess.run(
        [*mypy, *files], cwd=demo.work, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout


def _installed(environment: CleanEnvironment) -> dict[str, str]:
    """Name every distribution, with its version."""
    told = environment.tells("python", "-m", "pip", "list", "--format", "json")
    return {found["name"].lower(): found["version"] for found in json.loads(told)}
