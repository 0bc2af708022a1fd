"""What is checked: `nox` runs all of it, `nox -s lint` one part, `nox -l` lists the parts."""

import os
import shutil

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = True
nox.options.reuse_existing_virtualenvs = True

_PROJECT = nox.project.load_toml("pyproject.toml")
_SOURCES = ("sqr_jobs", "sqr_jobs_flask", "sqr_jobs_fastapi", "tests", "docs", "noxfile.py")


def _install(session: nox.Session, extras: str, *groups: str) -> None:
    """Install the project with its extras, and dependency groups, at the pinned versions."""
    packages = nox.project.dependency_groups(_PROJECT, *groups)
    session.install("--constraint", ".ci/constraints.txt", f".[{extras}]" if extras else ".", *packages)


@nox.session
def lint(session: nox.Session) -> None:
    """Style and format."""
    packages = nox.project.dependency_groups(_PROJECT, "lint")
    session.install("--constraint", ".ci/constraints.txt", *packages)
    session.run("ruff", "check", *_SOURCES)
    session.run("ruff", "format", "--check", *_SOURCES)


@nox.session
def types(session: nox.Session) -> None:
    """Types, strictly, and the import rules of the architecture."""
    _install(session, "demo", "types", "lint")
    session.run("mypy")
    session.run("mypy", "tests/typing")
    session.run("lint-imports")


@nox.session
def core(session: nox.Session) -> None:
    """Test the core without any web framework: units, and every port's contract suite."""
    _install(session, "postgres,redis,s3", "tests")
    session.run(
        "python",
        "-c",
        "import importlib.util as u; assert not u.find_spec('flask') and not u.find_spec('fastapi')",
    )
    session.run("pytest", "tests/unit", "tests/contracts", "tests/servers", *session.posargs)


@nox.session
@nox.parametrize("framework", ["flask", "fastapi"])
def http(session: nox.Session, framework: str) -> None:
    """Test the endpoints through one framework, with the other not installed."""
    _install(session, f"{framework},postgres,redis,s3", "tests")
    session.run("pytest", "tests/http", *session.posargs, env={"SQR_TEST_FRAMEWORKS": framework})


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Run what the documentation shows, and hold its references to the code."""
    _install(session, "demo", "tests")
    session.run("pytest", "tests/docs", *session.posargs)


@nox.session
def acceptance(session: nox.Session) -> None:
    """Test real processes on real servers, the command line, and what happens when something is killed."""
    _install(session, "demo", "tests")
    session.run("pytest", "tests/testing", "tests/cli", "tests/acceptance", "tests/faults", *session.posargs)


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """Test the demo's page in a real browser; as root, install Chromium where there is none."""
    _install(session, "demo", "tests", "browser")
    is_here = any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    is_named = "SQR_JOBS_TEST_CHROMIUM" in os.environ
    if not (is_here or is_named) and os.geteuid() == 0 and shutil.which("apt-get"):
        options = ("-y", "--no-install-recommends")
        session.run("apt-get", "update", external=True)
        session.run("apt-get", "install", *options, "chromium", external=True)
    session.run("pytest", "tests/browser", *session.posargs)
