"""PostgreSQL and Redis as other tests rely on them: empty at first, and keeping what they promised."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from redis import Redis
from sqlalchemy import create_engine, inspect, make_url, text
from sqlalchemy.exc import OperationalError

from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer


def _execute(url: str, statement: str) -> list[Any]:
    """Run one statement in a connection and transaction of its own and return its rows."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            result = connection.execute(text(statement))
            return list(result.scalars()) if result.returns_rows else []
    finally:
        engine.dispose()


def _tables(url: str) -> list[str]:
    """Return the names of a database's tables."""
    engine = create_engine(url)
    try:
        return inspect(engine).get_table_names()
    finally:
        engine.dispose()


def test_postgres_takes_two_hundred_connections(postgres_url: str) -> None:
    """Workers, web servers and a chaos test together hold many."""
    assert int(_execute(postgres_url, "SHOW max_connections")[0]) >= 200


def test_postgres_databases_are_isolated(postgres_server: PostgresServer, postgres_url: str) -> None:
    """A test sees nothing of another's tables."""
    _execute(postgres_url, "CREATE TABLE seen (id int)")
    other = postgres_server.create_database()
    try:
        assert _tables(postgres_url) == ["seen"]
        assert _tables(other) == []
    finally:
        postgres_server.drop_database(other)


def test_postgres_drops_a_database_that_is_still_in_use(postgres_server: PostgresServer) -> None:
    """A test that leaks a connection doesn't break the ones after it."""
    url = postgres_server.create_database()
    with psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)):
        postgres_server.drop_database(url)
    with pytest.raises(OperationalError, match="does not exist"):
        _execute(url, "SELECT 1")


def test_postgres_drops_only_databases_it_made(postgres_server: PostgresServer) -> None:
    """An external server may hold a developer's own data."""
    with pytest.raises(ValueError, match="'postgres' wasn't made by create_database"):
        postgres_server.drop_database("postgresql+psycopg://127.0.0.1/postgres")


def test_postgres_keeps_what_was_committed_across_a_kill() -> None:
    """Recovery after a crash is tested with a server that really crashed and recovered."""
    # Given a committed row, and one in an open transaction
    with PostgresServer() as server:
        url = server.create_database()
        _execute(url, "CREATE TABLE kept (id int)")
        _execute(url, "INSERT INTO kept VALUES (1)")
        engine = create_engine(url)
        with engine.connect() as connection:
            connection.execute(text("INSERT INTO kept VALUES (2)"))
            # When the server is killed
            server.kill_immediately()
            with pytest.raises(OperationalError):
                connection.execute(text("INSERT INTO kept VALUES (3)"))
            connection.invalidate()
        with pytest.raises(OperationalError, match="refused"):
            _execute(url, "SELECT 1")
        server.restart()
        # Then the same URL gives the committed row alone, also after an orderly restart
        assert _execute(url, "SELECT id FROM kept") == [1]
        server.restart()
        assert _execute(url, "SELECT id FROM kept") == [1]
        engine.dispose()


def test_postgres_is_killed_in_the_middle_of_a_statement() -> None:
    """A backend that is busy notices nothing of its postmaster's death, and would keep the data locked."""
    with PostgresServer() as server, ThreadPoolExecutor() as threads:
        url = server.create_database()
        busy = threads.submit(_execute, url, "DO $$ BEGIN LOOP NULL; END LOOP; END $$")
        count = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'DO%'"
        wait_until(lambda: _execute(url, count) == [1], seconds=10, what="the endless statement")
        server.kill_immediately()
        with pytest.raises(OperationalError):
            busy.result(timeout=10)
        server.start()
        assert _execute(url, count) == [0]


def _set(url: str) -> None:
    with Redis.from_url(url) as client:
        client.set("a", "1")


def _get(url: str) -> Any:
    with Redis.from_url(url) as client:
        return client.get("a")


def test_redis_answers_and_is_empty(redis_url: str) -> None:
    """Each test begins with an empty queue."""
    with Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        assert client.set("a", "1")
        assert client.get("a") == b"1"


def test_redis_flush_leaves_nothing(redis_server: RedisServer) -> None:
    """Whatever a test wrote is gone before the next."""
    _set(redis_server.url)
    redis_server.flush()
    assert _get(redis_server.url) is None


def test_redis_keeps_acknowledged_writes_across_a_kill_when_appending() -> None:
    """A careful operator's Redis comes back with its queue."""
    with RedisServer(appendonly=True) as server:
        _set(server.url)
        url = server.url
        server.kill()
        server.restart()
        assert server.url == url
        assert _get(url) == b"1"


@pytest.mark.parametrize("appendonly", [True, False])
def test_redis_restarts_empty_on_demand(*, appendonly: bool) -> None:
    """The library must survive the loss of the whole queue."""
    with RedisServer(appendonly=appendonly) as server:
        _set(server.url)
        server.restart(empty=True)
        assert _get(server.url) is None


def test_redis_does_not_promise_data_it_cannot_keep() -> None:
    """A test that meant to keep the queue doesn't silently test the loss of it."""
    with RedisServer() as server, pytest.raises(ValueError, match="empty=True"):
        server.restart()
