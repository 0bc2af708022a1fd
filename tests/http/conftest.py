"""One suite through both adapters: `SQR_TEST_FRAMEWORKS=flask` (or `fastapi`) runs it with one installed.

A variable and no option of pytest's, because an option of this file would be unknown to a run from the root.
"""

import functools
import importlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sqr_jobs import migrations
from sqr_jobs.adapters.embedded_worker import NoWorker
from sqr_jobs.adapters.sql import engine_for
from tests.host import reports as host
from tests.http.clients import PREFIX, Client

FRAMEWORKS = tuple(os.environ.get("SQR_TEST_FRAMEWORKS", "flask,fastapi").split(","))

Serve = Callable[..., Client]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*frameworks): runs only where these are chosen")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests of one framework's own are left out; the suite itself is never skipped."""
    for item in items:
        for mark in item.iter_markers("needs"):
            if missing := set(mark.args) - set(FRAMEWORKS):
                item.add_marker(pytest.mark.skip(reason=f"SQR_TEST_FRAMEWORKS leaves out {sorted(missing)}"))


@pytest.fixture(params=FRAMEWORKS)
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


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, migrated_sqlite: Path) -> Callable[..., None]:
    """Set `SQR_JOBS_*` as a host does, and prepare the database; None leaves a setting out."""

    def set_variables(**settings: Any) -> None:
        given = {
            "data_dir": tmp_path,
            "jwt_key": host.KEY,
            "jwt_algorithms": "HS256",
            "render": "inline",
            "shutdown_grace_s": 4,
        } | settings
        for name, value in given.items():
            if value is not None:
                monkeypatch.setenv(f"SQR_JOBS_{name.upper()}", str(value))
        Path(given["data_dir"]).mkdir(parents=True, exist_ok=True)
        if not (Path(given["data_dir"]) / "jobs.db").exists():
            shutil.copy(migrated_sqlite, Path(given["data_dir"]) / "jobs.db")

    return set_variables


@pytest.fixture
def serve_on(configure: Callable[..., None]) -> Iterator[Serve]:
    """Mount a service in an application of the framework named and give a client of it.

    Without `worker=True` no worker runs, so a job stands still until the test calls `client.work()`.
    """
    with ExitStack() as stack:

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
            made: Any = factory
            if not worker:
                made = factory()
                made.parts.worker = NoWorker()
            where = {"root": root, "prefix": settings.get("prefix", PREFIX), **(mount or {})}
            application = importlib.import_module(f"tests.http.{framework}_host")  # only the chosen ones
            client: Client = stack.enter_context(application.client(made, caller=caller, **where))
            stack.callback(client.system.database.close)
            return client

        yield start


@pytest.fixture
def serve(framework: str, serve_on: Serve) -> Serve:
    """Mount in the framework under test."""
    return functools.partial(serve_on, framework)


@pytest.fixture
def client(serve: Serve) -> Client:
    """Give a client of the sample host as it comes: SQLite, no scopes, no worker."""
    return serve()


@pytest.fixture
def client_on(serve: Serve) -> Callable[[str], Client]:
    """Give a client of the sample host on a database of the test's."""

    def start(database_url: str) -> Client:
        if database_url.startswith("postgresql"):
            engine = engine_for(database_url, timeout_s=10)
            migrations.upgrade(engine)
            engine.dispose()
            return serve(database_url=database_url)
        made = serve(database_url=database_url)
        migrations.upgrade(made.system.database.engine)
        return made

    return start
