"""Fixtures for the tests that only MariaDB needs: a server that may be killed, and a deployment on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sqr_jobs import migrations
from sqr_jobs.adapters.sql import Database, engine_for
from tests.acceptance.deployment import Deployment
from tests.acceptance.figures import measured, pytest_terminal_summary
from tests.acceptance.fixtures import QUICK, client_of
from tests.servers.mariadb import MariadbServer
from tests.servers.s3 import S3Bucket

__all__ = ["client_of", "measured", "pytest_terminal_summary"]


@pytest.fixture
def jobs(mariadb_url: str) -> Iterator[Database]:
    """Give a migrated database."""
    made = Database(engine_for(mariadb_url, timeout_s=10), timeout_s=10)
    migrations.upgrade(made.engine)
    yield made
    made.close()


@pytest.fixture
def own_mariadb() -> Iterator[MariadbServer]:
    """Give a MariaDB that the test may kill."""
    with MariadbServer() as server:
        yield server


@pytest.fixture
def deployment(
    tmp_path: Path, own_mariadb: MariadbServer, redis_url: str, s3_bucket: S3Bucket
) -> Iterator[Deployment]:
    """Give a migrated deployment on that server, in which nothing runs yet."""
    url = own_mariadb.create_database()
    with Deployment.distributed(
        tmp_path, postgres_url=url, redis_url=redis_url, bucket=s3_bucket, **QUICK, database_timeout_s=2
    ) as made:
        made.run("db", "upgrade")
        yield made
