"""The two ways to run the service, as settings: what `form` means to a test.

`@pytest.mark.both_forms` runs a test, or a file's tests, in each; all others run in the embedded form,
because what they look at is decided before any store, limiter or broker is asked.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3.session
import pytest

from sqr_jobs import migrations
from sqr_jobs.adapters.sql import Database, engine_for, metadata
from sqr_jobs.adapters.sql.tables import identity
from tests.host.patience import be_patient
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Server

__all__ = ["FORMS", "distributed_servers", "form", "form_settings"]

FORMS = ("embedded", "distributed")


@dataclass(frozen=True, kw_only=True)
class Servers:
    """A migrated database, a Redis and a bucket for all tests of a session."""

    settings: dict[str, Any]
    database: Database
    redis: RedisServer
    session: boto3.session.Session

    def clear(self) -> None:
        """Forget every job and every count; documents lie under ids that no other test has."""
        self.redis.start()  # a test before may have left it down
        self.redis.flush()
        with self.database.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                if table is not identity:
                    connection.execute(table.delete())


@pytest.fixture(scope="session")
def distributed_servers(
    postgres_server: PostgresServer, redis_server: RedisServer, s3_server: S3Server
) -> Iterator[Servers]:
    """Give what the distributed form stands on; a database or a bucket for each test would take minutes."""
    for server in (postgres_server, redis_server, s3_server):
        server.start()
    url, bucket = postgres_server.create_database(), s3_server.create_bucket()
    database = Database(engine_for(url, timeout_s=10), timeout_s=10)
    migrations.upgrade(database.engine)
    settings = {
        "database_url": url,
        "broker_url": redis_server.url,
        "s3_bucket": bucket,
        "s3_endpoint_url": s3_server.endpoint_url,
        "s3_region": s3_server.region,
        "s3_access_key_id": s3_server.access_key,
        "s3_secret_access_key": s3_server.secret_key,
        "s3_request_timeout_s": 10,  # a busy machine is no outage
    }
    yield Servers(settings=settings, database=database, redis=redis_server, session=boto3.session.Session())
    database.close()
    postgres_server.start()
    postgres_server.drop_database(url)
    s3_server.start()
    s3_server.delete_bucket(bucket)


@pytest.fixture
def form(request: pytest.FixtureRequest) -> str:
    """Name the form under test."""
    return str(getattr(request, "param", "embedded"))


@pytest.fixture
def form_settings(
    form: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Give the settings that make the form, over stores that are empty.

    One session serves every client of S3: making one takes as long as ten tests.
    """
    if form == "embedded":
        return {}
    be_patient(monkeypatch)
    servers: Servers = request.getfixturevalue("distributed_servers")
    servers.clear()
    monkeypatch.setattr(boto3.session, "Session", lambda: servers.session)
    return servers.settings
