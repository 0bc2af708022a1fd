"""What is checked: `nox` runs all of it, `nox -s lint` one part, `nox -l` lists the parts."""

import os
import shutil
from pathlib import Path

import nox
from packaging.requirements import Requirement

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = True
nox.options.reuse_existing_virtualenvs = True

_PROJECT = nox.project.load_toml("pyproject.toml")
_SOURCES = ("sqr_jobs", "sqr_jobs_flask", "sqr_jobs_fastapi", "tests", "docs", "noxfile.py")

_PARALLEL = ("--numprocesses=auto", "--maxprocesses=4", "--dist=loadfile")
"""Each process starts servers of its own; most tests wait for something."""

_OF_THE_TABLES = (
    "contracting_revisions",
    "database_encoding",
    "database_sessions",
    "expanded_tables",
    "host_alembic",
    "interrupted_migrations",
    "later_values",
    "migrations",
)
"""The contract suites, beside those of the jobs, that run on each kind of database."""


def _install(session: nox.Session, extras: str, *groups: str) -> None:
    """Install the project with its extras, and dependency groups, at the pinned versions."""
    packages = nox.project.dependency_groups(_PROJECT, *groups)
    session.install("--constraint", ".ci/constraints.txt", f".[{extras}]" if extras else ".", *packages)


def _install_from_debian(session: nox.Session, package: str) -> None:
    """Install a program as root; anyone else is told by the tests what is missing."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        session.run("apt-get", "update", external=True)
        session.run("apt-get", "install", "-y", "--no-install-recommends", package, external=True)


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
    _install(session, "postgres,rabbitmq,redis,s3", "tests")
    session.run(
        "python",
        "-c",
        "import importlib.util as u; assert not u.find_spec('flask') and not u.find_spec('fastapi')",
    )
    folders = ("tests/unit", "tests/model", "tests/mutants", "tests/contracts", "tests/servers")
    session.run("pytest", *_PARALLEL, *folders, "tests/rabbitmq/test_out_of_reach.py", *session.posargs)


@nox.session
@nox.parametrize("framework", ["flask", "fastapi"])
def http(session: nox.Session, framework: str) -> None:
    """Test the endpoints through one framework, the other not installed, and by tools that read OpenAPI."""
    _install(session, f"{framework},postgres,redis,s3", "tests", "clients")
    other = "flask" if framework == "fastapi" else "fastapi"
    session.run("python", "-c", f"import importlib.util as u; assert not u.find_spec('{other}')")
    folders = ("tests/http", "tests/clients")
    chosen = {"SQR_TEST_FRAMEWORKS": framework}
    session.run("pytest", *_PARALLEL, *folders, *session.posargs, env=chosen)


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Run what the documentation shows, and hold its references to the code."""
    _install(session, "demo", "tests")
    session.run("pytest", *_PARALLEL, "tests/docs", *session.posargs)


@nox.session(default=False)
def site(session: nox.Session) -> None:
    """Build the documentation as a site into `site/`, every warning an error, and follow its links."""
    packages = nox.project.dependency_groups(_PROJECT, "site")
    session.install("--constraint", ".ci/constraints.txt", *packages)
    shutil.rmtree("site", ignore_errors=True)
    places = ("--conf-dir=docs", f"--doctree-dir={session.create_tmp()}", "--fresh-env")
    strictly = ("--fail-on-warning", "--keep-going", "--nitpicky", "--quiet")
    session.run("sphinx-build", *places, *strictly, ".", "site")
    session.run("pytest", "--confcutdir=tests/site", "tests/site", *session.posargs)


@nox.session
def acceptance(session: nox.Session) -> None:
    """Test real processes on real servers, the command line, and what happens when something is killed."""
    _install(session, "demo,rabbitmq", "tests")
    folders = (
        "tests/load",
        "tests/soak",
        "tests/matrix",
        "tests/faults",
        "tests/acceptance",
        "tests/cli",
        "tests/testing",
        "tests/security",
    )
    # In this order: files with few tests are those that take long, and would come last.
    ordered = ("--no-loadscope-reorder", *folders, "tests/http/test_adapters_agree.py")
    session.run("pytest", *_PARALLEL, *ordered, *session.posargs)


@nox.session(default=False)
def packages(session: nox.Session) -> None:
    """Build wheel and sdist, look into them, and use each in clean environments outside the tree."""
    needed = nox.project.dependency_groups(_PROJECT, "packages")
    session.install("--constraint", ".ci/constraints.txt", *needed)
    session.run("pytest", "--confcutdir=tests/packaging", "tests/packaging", *session.posargs)


@nox.session(default=False)
def lowest(session: nox.Session) -> None:
    """Test with the lowest versions that `pyproject.toml` admits; whatever they bring is as pinned."""
    session.install(*nox.project.dependency_groups(_PROJECT, "lowest"), "--constraint", ".ci/constraints.txt")
    chosen = Path(session.create_tmp(), "lowest.txt").resolve()
    chosen.write_text("\n".join(_pins_of_others()), encoding="utf-8")  # uv keeps what stands there and fits
    wanted = ("pyproject.toml", "--all-extras", "--group=tests", "--resolution=lowest-direct")
    session.run("uv", "pip", "compile", "--quiet", "--no-header", *wanted, f"--output-file={chosen}")
    session.install("--requirement", str(chosen))
    session.install("--no-deps", ".")
    # An old package beside a new one may be deprecated to it; none of that is ours to mend.
    folders = ("tests/unit", "tests/contracts", "tests/http")
    session.run("pytest", "-W", "default::DeprecationWarning", *folders, *session.posargs)


def _pins_of_others() -> list[str]:
    """Read the pins of the packages that the project does not ask for itself."""
    project = _PROJECT["project"]
    lines = sum(project["optional-dependencies"].values(), project["dependencies"])
    direct = {Requirement(line).name for line in lines}
    pins = Path(".ci/constraints.txt").read_text(encoding="utf-8").splitlines()
    return [pin for pin in pins if pin.partition("==")[0] not in direct]


@nox.session(python=["3.12", "3.13"], default=False)
def pythons(session: nox.Session) -> None:
    """Test with the other versions of Python that are promised, where they are installed."""
    _install(session, "fastapi,flask,postgres,rabbitmq,redis,s3", "tests")
    session.run("pytest", "tests/unit", "tests/contracts", "tests/http", *session.posargs)


@nox.session(default=False)
def faults(session: nox.Session) -> None:
    """Run the fault matrix, into docs/explanation/reliability.md; `-- --rounds 30` takes a night."""
    _install(session, "demo", "tests")
    session.run("python", "-m", "tests.matrix", *session.posargs)


@nox.session(default=False)
def model(session: nox.Session) -> None:
    """Explore the protocol's model in full, with all faults together."""
    _install(session, "demo", "tests")
    session.run("pytest", "tests/model", *session.posargs, env={"SQR_TEST_WHOLE_MODEL": "1"})


@nox.session(default=False)
def soak(session: nox.Session) -> None:
    """Soak: many jobs of every kind, a fault every 7 s, into docs/explanation/reliability.md."""
    _install(session, "demo", "tests")
    session.run("python", "-m", "tests.soak", *session.posargs)


@nox.session(default=False)
def load(session: nox.Session) -> None:
    """Load at a steady rate, then ever more, into docs/explanation/reliability.md; on a quiet machine."""
    _install(session, "demo", "tests")
    session.run("python", "-m", "tests.load", *session.posargs)


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Take each guard of the promises away, and see its tests fail; words after `--` choose some."""
    _install(session, "fastapi,flask,postgres,rabbitmq,redis,s3", "tests")
    session.run("python", "-m", "tests.mutants", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure speed, into docs/explanation/performance.md; `-- --quick` only sees that all of it runs."""
    _install(session, "demo", "tests", "bench")
    session.run("python", "-m", "tests.bench", *session.posargs)


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """Test the demo's page in a real browser; as root, install Chromium where there is none."""
    _install(session, "demo", "tests", "browser")
    is_here = any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    is_named = "SQR_JOBS_TEST_CHROMIUM" in os.environ
    if not (is_here or is_named):
        _install_from_debian(session, "chromium")
    session.run("pytest", *_PARALLEL, "tests/browser", *session.posargs)


@nox.session(default=False)
def rabbitmq(session: nox.Session) -> None:
    """Test RabbitMQ as the broker, on a real one; as root, install it where there is none."""
    _install(session, "demo,rabbitmq", "tests")
    is_here = shutil.which("rabbitmq-server") or Path("/usr/lib/rabbitmq/bin/rabbitmq-server").exists()
    is_named = "SQR_JOBS_TEST_AMQP_URL" in os.environ
    if not (is_here or is_named):
        _install_from_debian(session, "rabbitmq-server")
    session.run("pytest", "tests/rabbitmq", *session.posargs)


@nox.session(default=False)
def mariadb(session: nox.Session) -> None:
    """Test MariaDB as the database, on a real one; as root, install it where there is none."""
    _install(session, "demo,mysql", "tests")
    is_here = shutil.which("mariadbd") or Path("/usr/sbin/mariadbd").exists()
    is_named = "SQR_JOBS_TEST_MARIADB_URL" in os.environ
    if not (is_here or is_named):
        _install_from_debian(session, "mariadb-server")
    stores = sorted(str(path) for path in Path("tests/contracts").glob("test_job_*.py"))
    tables = (f"tests/contracts/test_{name}.py" for name in _OF_THE_TABLES)
    chosen = {"SQR_TEST_DATABASES": "mariadb"}
    session.run("pytest", *_PARALLEL, *stores, *tables, "tests/mariadb", *session.posargs, env=chosen)
