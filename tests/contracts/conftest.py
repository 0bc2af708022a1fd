"""Fixtures for the contract suites."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sqr_jobs import migrations
from sqr_jobs.adapters.sql import Database, engine_for, metadata
from sqr_jobs.adapters.sql.tables import identity
from tests.contracts.job_store import JobStore
from tests.databases import DATABASES
from tests.servers.postgres import PostgresServer

if TYPE_CHECKING:
    from tests.servers.mariadb import MariadbServer

_TIMEOUT_S = 10


@pytest.fixture(scope="session")
def _postgres_jobs(postgres_server: PostgresServer) -> Iterator[Database]:
    """Give one migrated PostgreSQL database; making one for each of so many tests would take minutes."""
    postgres_server.start()
    url = postgres_server.create_database()
    made = Database(engine_for(url, timeout_s=_TIMEOUT_S, pool_size=40), timeout_s=_TIMEOUT_S)
    migrations.upgrade(made.engine)
    yield made
    made.close()
    postgres_server.start()
    postgres_server.drop_database(url)


@pytest.fixture(scope="session")
def _mariadb_jobs(mariadb_server: "MariadbServer") -> Iterator[Database]:
    """Give one migrated MariaDB database, likewise."""
    url = mariadb_server.create_database()
    made = Database(engine_for(url, timeout_s=_TIMEOUT_S, pool_size=40), timeout_s=_TIMEOUT_S)
    migrations.upgrade(made.engine)
    yield made
    made.close()
    mariadb_server.drop_database(url)


@pytest.fixture(scope="session")
def _sqlite_jobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give one migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    engine = engine_for(f"sqlite:///{path}", timeout_s=_TIMEOUT_S)
    migrations.upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Give a migrated, empty database of each kind, as the suite's fixture of this name does, only faster."""
    if request.param != "sqlite":
        server = {"postgresql": "postgres", "mariadb": "mariadb"}[request.param]
        shared: Database = request.getfixturevalue(f"_{server}_jobs")
        shared.clock_offset_ms = 0
        with shared.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                if table is not identity:
                    connection.execute(table.delete())
        yield shared
        return
    path = tmp_path / "jobs.db"
    shutil.copy(request.getfixturevalue("_sqlite_jobs"), path)
    own = Database(engine_for(f"sqlite:///{path}", timeout_s=_TIMEOUT_S), timeout_s=_TIMEOUT_S)
    yield own
    own.close()


@pytest.fixture
def store(database: Database) -> JobStore:
    """Give the whole job store over each kind of database."""
    return JobStore(database)
