"""How the servers begin and end: whose they are, what is left of them, and what a failed start says."""

from __future__ import annotations

import errno
import socket
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

import pytest
from redis import Redis
from sqlalchemy import make_url

from tests.servers.launch import ServerDidNotStart
from tests.servers.ports import free_port, wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.process import ServerIsExternal, ServerProcess
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Bucket, S3Server
from tests.servers.wheels import WheelProgramNotFound, wheel_program

if TYPE_CHECKING:
    from collections.abc import Callable

Server: TypeAlias = PostgresServer | RedisServer | S3Server

_ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("module", "server", "url"),
    [
        ("postgres", "PostgresServer", "create_database()"),
        ("redis", "RedisServer", "url"),
        ("s3", "S3Server", "endpoint_url"),
    ],
    ids=["postgres", "redis", "s3"],
)
def test_servers_do_not_outlive_killed_tests(module: str, server: str, url: str) -> None:
    """A run that is killed leaves neither processes nor folders on the developer's machine."""
    # Given a process that started a server
    code = f"""
from tests.servers.{module} import {server}
server = {server}()
server.start()
print(server.{url}, server._process.folder, flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as tests:
        assert tests.stdout is not None
        found_url, folder = tests.stdout.readline().split()
        port = urlsplit(found_url).port or 0
        assert not _is_refused(port)
        assert Path(folder).exists()
        # When it is killed
        tests.kill()
    # Then the server and its folder go
    wait_until(lambda: _is_refused(port), seconds=10, what=f"the end of the abandoned {server}")
    wait_until(lambda: not Path(folder).exists(), seconds=10, what=f"the removal of {folder}")


def _is_refused(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    """The engineer sees the server's own words instead of a time-out."""
    process = ServerProcess(["/bin/sh", "-c", "echo no such disk; exit 1"], folder=tmp_path)
    with closing(process), pytest.raises(ServerDidNotStart, match="no such disk"):
        process.start(answers=lambda: False)


def test_a_server_that_ended_by_itself_starts_again() -> None:
    """A test that makes the server crash leaves no wreck for the next."""
    with RedisServer() as server, Redis.from_url(server.url) as client:
        client.set("a", "1")
        client.shutdown(nosave=True)
        server.start()
        assert client.get("a") is None


@pytest.mark.parametrize(
    "make_server",
    [
        lambda: PostgresServer(external_url="postgresql://127.0.0.1/postgres"),
        lambda: RedisServer(external_url="redis://127.0.0.1/0"),
        lambda: S3Server(external_endpoint="http://127.0.0.1"),
    ],
    ids=["postgres", "redis", "s3"],
)
def test_an_external_server_is_not_ours_to_stop(make_server: Callable[[], Server]) -> None:
    """A test that needs to kill must say so by making its own server."""
    server = make_server()
    kill = server.kill_immediately if isinstance(server, PostgresServer) else server.kill
    restart = partial(server.restart, empty=True) if isinstance(server, RedisServer) else server.restart
    for forbidden in (server.stop, kill, restart):
        with pytest.raises(ServerIsExternal, match="SQR_JOBS_TEST_"):
            forbidden()
    server.close()


def test_servers_are_found_by_environment_variables(
    monkeypatch: pytest.MonkeyPatch,
    postgres_server: PostgresServer,
    redis_server: RedisServer,
    s3_bucket: S3Bucket,
) -> None:
    """A developer who has the servers already names them instead of starting ours."""
    monkeypatch.setenv("SQR_JOBS_TEST_REDIS_URL", redis_server.url)
    monkeypatch.setenv("SQR_JOBS_TEST_S3_ENDPOINT", s3_bucket.endpoint_url)
    monkeypatch.setenv("SQR_JOBS_TEST_S3_ACCESS_KEY", s3_bucket.access_key)
    monkeypatch.setenv("SQR_JOBS_TEST_S3_SECRET_KEY", s3_bucket.secret_key)
    url = postgres_server.create_database()
    monkeypatch.setenv("SQR_JOBS_TEST_POSTGRES_URL", url)
    with PostgresServer.from_environment() as postgres:
        other = postgres.create_database()
        assert make_url(other).port == make_url(url).port
        postgres.drop_database(other)
    with RedisServer.from_environment() as redis:
        redis.flush()
        assert redis.url == redis_server.url
    with S3Server.from_environment() as s3:
        s3.delete_bucket(s3.create_bucket())
    postgres_server.drop_database(url)


def test_a_missing_wheel_is_named() -> None:
    """The error says what to install."""
    with pytest.raises(WheelProgramNotFound, match="pip install no-such-wheel"):
        wheel_program("no-such-wheel", "server")


def test_a_free_port_can_be_kept_across_restarts() -> None:
    """It can be listened on, and lies outside the ranges that systems give to outgoing connections."""
    port = free_port()
    assert port < 32768
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_waiting_in_vain_says_for_what() -> None:
    """The report names the condition, since the stack shows a lambda only."""
    with pytest.raises(TimeoutError, match="in vain for the last job"):
        wait_until(lambda: False, seconds=0, what="the last job")
    wait_until(lambda: True, seconds=0, what="nothing")
