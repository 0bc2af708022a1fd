"""Deployments as fixtures, for the acceptance and the fault tests."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from sqr_jobs.adapters.s3_documents import S3DocumentStore
from tests.acceptance.client import Client
from tests.acceptance.deployment import Deployment, Web
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Bucket, S3Server

__all__ = ["QUICK", "ClientOf", "client_of", "distributed", "embedded", "own_places", "store_in"]

ClientOf = Callable[..., Client]

QUICK: dict[str, object] = {
    "lease_s": 4,
    "relay_interval_s": 0.25,
    "reaper_interval_s": 0.25,
    "retry_backoff_s": 0.2,
    "shutdown_grace_s": 12,
}
"""The library's own times, scaled down so that a test sees in seconds what takes minutes in operation."""


@contextmanager
def own_places(postgres: PostgresServer, redis: RedisServer, s3: S3Server) -> Iterator[tuple[str, S3Bucket]]:
    """Give a module a database's address and a bucket of its own, and an empty Redis."""
    for server in (postgres, redis, s3):
        server.start()
    redis.flush()
    url, name = postgres.create_database(), s3.create_bucket()
    yield (
        url,
        S3Bucket(
            endpoint_url=s3.endpoint_url,
            access_key=s3.access_key,
            secret_key=s3.secret_key,
            region=s3.region,
            bucket=name,
        ),
    )
    postgres.drop_database(url)
    s3.delete_bucket(name)


def store_in(bucket: S3Bucket) -> S3DocumentStore:
    """Make the document store that services have there."""
    return S3DocumentStore(
        bucket.bucket,
        endpoint_url=bucket.endpoint_url,
        region=bucket.region,
        access_key_id=bucket.access_key,
        secret_access_key=bucket.secret_key,
    )


@pytest.fixture
def distributed(
    tmp_path: Path, postgres_url: str, redis_url: str, s3_bucket: S3Bucket
) -> Iterator[Deployment]:
    """Give a migrated deployment on PostgreSQL, Redis and S3, in which nothing runs yet."""
    with Deployment.distributed(
        tmp_path, postgres_url=postgres_url, redis_url=redis_url, bucket=s3_bucket, **QUICK
    ) as deployment:
        deployment.migrate()
        yield deployment


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Deployment]:
    """Give a migrated deployment on SQLite and a folder, in which nothing runs yet."""
    with Deployment.embedded(tmp_path, **QUICK) as deployment:
        deployment.migrate()
        yield deployment


@pytest.fixture
def client_of() -> Iterator[ClientOf]:
    """Make clients of a web server that are closed after the test: `client_of(web, "acme")`."""
    with ExitStack() as clients:

        def make(web: Web, org: str = "acme") -> Client:
            return clients.enter_context(web.client(org))

        yield make
