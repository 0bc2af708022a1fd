"""The servers of one deployment, each behind a proxy, and the faults that only a server can have."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from redis import Redis
from sqlalchemy import make_url

from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import Proxy
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Bucket, S3Server

__all__ = ["Servers"]

_READY_S = 30
_CLOCK = """
CREATE SCHEMA clock;
CREATE TABLE clock.wrong (seconds bigint NOT NULL);
INSERT INTO clock.wrong VALUES (0);
CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
  'SELECT pg_catalog.clock_timestamp() + seconds * interval ''1 second'' FROM clock.wrong';
"""
"""Comes before PostgreSQL's own function of that name in `search_path`."""


class Servers:
    """PostgreSQL, Valkey and an S3 server; `*_proxy` are the addresses that programs use."""

    def __init__(self, folder: Path) -> None:
        self.credentials = folder / "credentials"
        """The shared credentials file of the programs."""
        self._ends = ExitStack()
        self._demoted: RedisServer | None = None

    def __enter__(self) -> Self:
        with ExitStack() as ends:
            self._start(ends)
            self._ends = ends.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.__exit__(kind, error, trace)

    @property
    def proxies(self) -> Sequence[Proxy]:
        """All three."""
        return self.postgres_proxy, self.redis_proxy, self.s3_proxy

    @property
    def database_url(self) -> str:
        """The database behind its proxy, with the password."""
        proxied = make_url(self.admin_url).set(port=self.postgres_proxy.port)
        return proxied.render_as_string(hide_password=False)

    @property
    def bucket(self) -> S3Bucket:
        """The bucket behind its proxy, with the present key."""
        return S3Bucket(
            endpoint_url=f"http://127.0.0.1:{self.s3_proxy.port}",
            access_key=self.s3.access_key,
            secret_key=self.s3.secret_key,
            region=self.s3.region,
            bucket=self._bucket,
        )

    def mend(self) -> None:
        """End every fault of a proxy or a server."""
        for proxy in self.proxies:
            proxy.heal()
        self.set_clock(0)
        if self._demoted is not None:
            self._demoted.stop()

    def admin(self) -> psycopg.Connection:
        """Connect to the database past its proxy."""
        return psycopg.connect(self.admin_url.replace("+psycopg", ""), autocommit=True)

    def terminate_sessions(self) -> int:
        """End every session of the programs; return how many there were."""
        with self.admin() as connection:
            return connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).rowcount

    def make_read_only(self, *, is_read_only: bool) -> None:
        """Have sessions that begin from now on be read-only, as a provider does whose disk is full."""
        with self.admin() as connection:
            connection.execute("SET default_transaction_read_only = off")
            self._alter(connection, "default_transaction_read_only", "on" if is_read_only else "DEFAULT")

    def set_clock(self, offset_s: int) -> None:
        """Have the database's clock be wrong by this much, for all sessions at once."""
        with self.admin() as connection:
            connection.execute("UPDATE clock.wrong SET seconds = %s WHERE seconds <> %s", (offset_s,) * 2)

    def fail_over_redis(self) -> int:
        """Make a replica the primary, and lead the proxy's address to it.

        Open connections still reach the server that was the primary. Return how many there are.
        """
        primary, replica = self.redis, self._replica()
        host, port = "127.0.0.1", urlsplit(replica.url).port
        with Redis.from_url(primary.url) as old, Redis.from_url(replica.url) as new:
            old.config_set("repl-diskless-sync-delay", 0)
            new.replicaof(host, str(urlsplit(primary.url).port))
            wait_until(lambda: _is_in_sync(new), seconds=_READY_S, what="a replica in sync")
            open_ones = int(old.info("clients")["connected_clients"])
            old.execute_command("FAILOVER", "TO", host, port)
            wait_until(
                lambda: new.info("replication")["role"] == "master", seconds=_READY_S, what="the failover"
            )
        self.redis, self._demoted = replica, primary
        self.redis_proxy.lead_to(port or 0)
        return open_ones

    def rotate_credentials(self) -> None:
        """Give the bucket a new key, refuse the old one, and rewrite the programs' credentials file."""
        self.s3.rotate_key()
        self._write_credentials()

    def objects_of(self, job_ids: Sequence[str]) -> dict[str, int]:
        """List the objects of these jobs with their sizes."""
        found: dict[str, int] = {}
        for job_id in job_ids:
            listed = self._client.list_objects_v2(Bucket=self._bucket, Prefix=f"{job_id}/")
            found |= {item["Key"]: item["Size"] for item in listed.get("Contents", [])}
        return found

    def replace_object(self, job_id: str, change: Callable[[bytes], bytes | None]) -> None:
        """Change what a job has stored; None deletes it."""
        for key in self.objects_of([job_id]):
            content = change(self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read())
            if content is None:
                self._client.delete_object(Bucket=self._bucket, Key=key)
            else:
                self._client.put_object(Bucket=self._bucket, Key=key, Body=content)

    @property
    def _client(self) -> Any:
        return self.s3._client

    def _start(self, ends: ExitStack) -> None:
        self.postgres = ends.enter_context(PostgresServer())
        self.redis = ends.enter_context(RedisServer(appendonly=True))
        ends.callback(self._close_redis)
        self.s3 = ends.enter_context(S3Server())
        self.admin_url = self.postgres.create_database()
        with self.admin() as connection:
            connection.execute(_CLOCK)
            self._alter(connection, "search_path", "public, clock, pg_catalog")
        self._bucket = self.s3.create_bucket()
        self._write_credentials()
        ports = (
            make_url(self.admin_url).port,
            urlsplit(self.redis.url).port,
            urlsplit(self.s3.endpoint_url).port,
        )
        proxies = [ends.enter_context(Proxy(port or 0)) for port in ports]
        self.postgres_proxy, self.redis_proxy, self.s3_proxy = proxies

    def _alter(self, connection: psycopg.Connection, name: str, value: str) -> None:
        """Change a setting of sessions that begin from now on."""
        database = sql.Identifier(make_url(self.admin_url).database or "")
        setting = (database, sql.Identifier(name), sql.SQL(value))
        connection.execute(sql.SQL("ALTER DATABASE {} SET {} TO {}").format(*setting))

    def _replica(self) -> RedisServer:
        if self._demoted is None:
            self._demoted = RedisServer(appendonly=True)
        self._demoted.start()
        return self._demoted

    def _close_redis(self) -> None:
        """Close both servers, whichever is the primary now."""
        for server in (self.redis, self._demoted):
            if server is not None:
                server.close()

    def _write_credentials(self) -> None:
        draft = self.credentials.with_suffix(".draft")
        draft.write_text(
            f"[default]\naws_access_key_id = {self.s3.access_key}\n"
            f"aws_secret_access_key = {self.s3.secret_key}\n",
            encoding="utf-8",
        )
        draft.rename(self.credentials)


def _is_in_sync(replica: Redis) -> bool:
    return replica.info("replication").get("master_link_status") == "up"
