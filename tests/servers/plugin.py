"""Pytest plugin (`-p tests.servers.plugin`) that gives real servers to tests.

The servers are started once per session, on first use. One that can't start is an error of each test that
asked for it, never a skip: a suite that quietly tests less proves nothing. A test that kills or restarts a
server makes its own (`with PostgresServer() as server:`), since the shared ones may be external.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Bucket, S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.mariadb import MariadbServer

__all__ = [
    "mariadb_server",
    "mariadb_url",
    "postgres_server",
    "postgres_url",
    "redis_server",
    "redis_url",
    "s3_bucket",
    "s3_server",
]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Give the session's PostgreSQL server."""
    with PostgresServer.from_environment() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariadbServer]:
    """Give the session's MariaDB server; only `nox -s mariadb` has its driver."""
    from tests.servers.mariadb import MariadbServer

    with MariadbServer.from_environment() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Give the session's Redis server, which keeps its data when it is killed."""
    with RedisServer.from_environment(appendonly=True) as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """Give the session's S3 server."""
    with S3Server.from_environment() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Give the SQLAlchemy URL of an empty database, dropped after the test whatever is still connected."""
    postgres_server.start()  # a test before may have left it down
    url = postgres_server.create_database()
    yield url
    postgres_server.start()
    postgres_server.drop_database(url)


@pytest.fixture
def mariadb_url(mariadb_server: MariadbServer) -> Iterator[str]:
    """Give the SQLAlchemy URL of an empty database, likewise dropped after the test."""
    mariadb_server.start()
    url = mariadb_server.create_database()
    yield url
    mariadb_server.start()
    mariadb_server.drop_database(url)


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """Give the URL of an empty Redis database."""
    redis_server.start()  # a test before may have left it down
    redis_server.flush()
    return redis_server.url


@pytest.fixture
def s3_bucket(s3_server: S3Server) -> Iterator[S3Bucket]:
    """Give an empty bucket with the key to it, deleted after the test."""
    s3_server.start()  # a test before may have left it down
    name = s3_server.create_bucket()
    yield S3Bucket(
        endpoint_url=s3_server.endpoint_url,
        access_key=s3_server.access_key,
        secret_key=s3_server.secret_key,
        region=s3_server.region,
        bucket=name,
    )
    s3_server.start()
    s3_server.delete_bucket(name)
