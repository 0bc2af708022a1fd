"""Fixtures for every test."""

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.databases import DATABASES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqr_jobs.adapters.sql import Database

# The same examples in every run, each with all its time: a suite must not fail by chance on some machine.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")

pytest_plugins = ["tests.servers.plugin"]


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's settings are its own: variables of the machine must not reach it."""
    for name in list(os.environ):
        if name.startswith("SQR_JOBS_") and not name.startswith("SQR_JOBS_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture
def patient_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Redis take its time."""
    from tests.host.patience import be_patient

    be_patient(monkeypatch)


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('sqlite')}/jobs.db"
    server = {"postgresql": "postgres", "mariadb": "mariadb"}[request.param]
    return str(request.getfixturevalue(f"{server}_url"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is about a database that this run is not about."""
    others = {"sqlite", "postgresql", "mariadb"} - set(DATABASES)

    def is_about_another(item: pytest.Item) -> bool:
        call = getattr(item, "callspec", None)
        named = {call.params.get(name) for name in ("database", "database_url")} if call else set()
        return not others.isdisjoint(named)

    left_out = [item for item in items if is_about_another(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def database(database_url: str) -> "Iterator[Database]":
    """Give a migrated database of each kind; tests move `clock_offset_ms`."""
    from sqr_jobs import migrations
    from sqr_jobs.adapters.sql import Database, engine_for

    made = Database(engine_for(database_url, timeout_s=10, pool_size=40), timeout_s=10)
    migrations.upgrade(made.engine)
    yield made
    made.close()
