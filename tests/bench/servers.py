"""The servers of one run, and what each deployment on them is given of its own."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Bucket, S3Server

__all__ = ["Backends", "Servers", "running_servers"]

_REDIS_DATABASES = 16


@dataclass(frozen=True, kw_only=True)
class Backends:
    """An empty database, an empty Redis database and an empty bucket."""

    database_url: str
    redis_url: str
    bucket: S3Bucket

    @property
    def s3(self) -> dict[str, str]:
        """What a client of the bucket's server is made with."""
        return {
            "endpoint_url": self.bucket.endpoint_url,
            "region": self.bucket.region,
            "access_key": self.bucket.access_key,
            "secret_key": self.bucket.secret_key,
        }


class Servers:
    """PostgreSQL, Valkey and rclone's S3, which all run for the whole time."""

    def __init__(self, postgres: PostgresServer, redis: RedisServer, s3: S3Server) -> None:
        self._postgres, self._redis, self._s3 = postgres, redis, s3
        self._numbers = itertools.cycle(range(_REDIS_DATABASES))

    def flush(self) -> None:
        """Empty Redis; nothing that uses it may run."""
        self._redis.flush()

    @contextmanager
    def backends(self) -> Iterator[Backends]:
        """Give a deployment what it stands on, and take it away afterwards."""
        parts = urlsplit(self._redis.url)
        redis_url = urlunsplit(parts._replace(path=f"/{next(self._numbers)}"))
        database_url, name = self._postgres.create_database(), self._s3.create_bucket()
        try:
            yield Backends(
                database_url=database_url,
                redis_url=redis_url,
                bucket=S3Bucket(
                    endpoint_url=self._s3.endpoint_url,
                    access_key=self._s3.access_key,
                    secret_key=self._s3.secret_key,
                    region=self._s3.region,
                    bucket=name,
                ),
            )
        finally:
            self._s3.delete_bucket(name)
            self._postgres.drop_database(database_url)


@contextmanager
def running_servers() -> Iterator[Servers]:
    """Start the three, or use those that `SQR_JOBS_TEST_*` names."""
    with (
        PostgresServer.from_environment() as postgres,
        RedisServer.from_environment(appendonly=True) as redis,
        S3Server.from_environment() as s3,
    ):
        yield Servers(postgres, redis, s3)
