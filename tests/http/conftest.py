"""One suite through both adapters: `SQR_TEST_FRAMEWORKS=flask` (or `fastapi`) runs it with one installed.

A variable and no option of pytest's, because an option of this file would be unknown to a run from the root.
"""

import functools
import importlib
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

from sqr_jobs import migrations
from sqr_jobs.adapters.embedded_worker import NoWorker
from sqr_jobs.adapters.sql import engine_for
from tests.host import reports as host
from tests.http.answered import Answered, meet
from tests.http.clients import PREFIX, Client
from tests.http.forms import FORMS, distributed_servers, form, form_settings
from tests.http.situations import SITUATIONS

__all__ = ["Answer", "Serve", "distributed_servers", "form", "form_settings"]

FRAMEWORKS = tuple(os.environ.get("SQR_TEST_FRAMEWORKS", "flask,fastapi").split(","))

Serve = Callable[..., Client]
Answer = Callable[[str, str], Answered]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*frameworks): runs only where these are chosen")
    config.addinivalue_line("markers", "both_forms: runs in the embedded and in the distributed form")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked in each form."""
    if metafunc.definition.get_closest_marker("both_forms"):
        metafunc.parametrize("form", FORMS, indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests of one framework's own are left out; the suite itself is never skipped."""
    for item in items:
        for mark in item.iter_markers("needs"):
            if missing := set(mark.args) - set(FRAMEWORKS):
                item.add_marker(pytest.mark.skip(reason=f"SQR_TEST_FRAMEWORKS leaves out {sorted(missing)}"))


@pytest.fixture(scope="session", params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> str:
    """Name the framework under test."""
    return str(request.param)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a SQLite file with the tables, to copy."""
    path = tmp_path_factory.mktemp("migrated") / "jobs.db"
    engine = engine_for(f"sqlite:///{path}", timeout_s=5)
    migrations.upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(autouse=True)
def _everyone_is_as_before() -> Iterator[None]:
    """Give back the rights that a test took from the sample host's people."""
    before = set(host.people.not_permitted)
    yield
    host.people.not_permitted = before
    host.people.asked.clear()


def _configure(variables: pytest.MonkeyPatch, folder: Path, tables: Path, settings: dict[str, Any]) -> None:
    given = {
        "data_dir": folder,
        "jwt_key": host.KEY,
        "jwt_algorithms": "HS256",
        "render": "inline",
        "shutdown_grace_s": 4,
    } | settings
    for name, value in given.items():
        if value is not None:
            variables.setenv(f"SQR_JOBS_{name.upper()}", str(value))
    folder = Path(given["data_dir"])
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "jobs.db").exists():
        shutil.copy(tables, folder / "jobs.db")


def _mounted(
    framework: str, made: Any, *, prefix: str = PREFIX, **where: Any
) -> AbstractContextManager[Client]:
    application = importlib.import_module(f"tests.http.{framework}_host")  # only the chosen ones
    client: AbstractContextManager[Client] = application.client(made, prefix=prefix, **where)
    return client


def _without_worker(factory: Any) -> Any:
    made = factory()
    made.parts.worker = NoWorker()
    return made


@pytest.fixture
def configure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, migrated_sqlite: Path, form_settings: dict[str, Any]
) -> Callable[..., None]:
    """Set `SQR_JOBS_*` as a host does, and prepare the database; None leaves a setting out."""
    return lambda **settings: _configure(monkeypatch, tmp_path, migrated_sqlite, form_settings | settings)


@pytest.fixture
def serve_on(configure: Callable[..., None]) -> Iterator[Serve]:
    """Mount a service in an application of the framework named and give a client of it.

    Without `worker=True` no worker runs, so a job stands still until the test calls `client.work()`.
    """
    with ExitStack() as databases, ExitStack() as stack:

        def start(
            framework: str,
            factory: Any = host.report_jobs,
            *,
            worker: bool = False,
            caller: Any = None,
            root: str = "",
            mount: dict[str, Any] | None = None,
            **settings: Any,
        ) -> Client:
            configure(**settings)
            made = factory if worker else _without_worker(factory)
            where = {"caller": caller, "root": root, "prefix": settings.get("prefix", PREFIX)}
            client = stack.enter_context(_mounted(framework, made, **where, **(mount or {})))
            databases.callback(client.system.database.close)  # a worker that still runs would open it again
            return client

        yield start


@pytest.fixture(scope="module")
def shared_client(
    framework: str, tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path
) -> Iterator[Client]:
    """Give one client to all tests of a file that only differ in what they send; `org` keeps them apart."""
    with pytest.MonkeyPatch.context() as variables:
        _configure(variables, tmp_path_factory.mktemp(framework), migrated_sqlite, {})
        made = _without_worker(host.report_jobs)
    with _mounted(framework, made) as client:
        yield client
        client.system.database.close()


_orgs = itertools.count(1)


@pytest.fixture
def org() -> str:
    """Name an org that no other test knows."""
    return f"org-{next(_orgs)}"


@pytest.fixture
def answer(serve_on: Serve, form: str, tmp_path: Path, request: pytest.FixtureRequest) -> Answer:
    """Give what comes of a situation in a framework; each is met once per session and form."""

    def find(framework: str, name: str) -> Answered:
        known = request.config.stash.setdefault(_ANSWERS, {})
        key = (framework, form, name)
        if key not in known:
            situation = SITUATIONS[name]
            if form == "distributed":
                request.getfixturevalue("distributed_servers").clear()
            settings = {"data_dir": tmp_path / framework} | situation.settings_in(form)
            known[key] = meet(serve_on(framework, **settings), situation)
        return known[key]

    return find


_ANSWERS = pytest.StashKey[dict[tuple[str, str, str], Answered]]()


@pytest.fixture
def serve(framework: str, serve_on: Serve) -> Serve:
    """Mount in the framework under test."""
    return functools.partial(serve_on, framework)


@pytest.fixture
def client(serve: Serve) -> Client:
    """Give a client of the sample host as it comes: no scopes, no worker."""
    return serve()
