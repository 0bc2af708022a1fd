"""Deployments as fixtures, for the acceptance and the fault tests."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.client import Client
from tests.acceptance.deployment import Deployment, Web
from tests.servers.s3 import S3Bucket

__all__ = ["QUICK", "ClientOf", "client_of", "distributed", "embedded"]

ClientOf = Callable[..., Client]

QUICK: dict[str, object] = {
    "lease_s": 4,
    "relay_interval_s": 0.25,
    "reaper_interval_s": 0.25,
    "retry_backoff_s": 0.2,
    "shutdown_grace_s": 12,
}
"""The library's own times, scaled down so that a test sees in seconds what takes minutes in operation."""


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
