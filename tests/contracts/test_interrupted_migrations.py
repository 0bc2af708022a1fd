"""Migrations that take long, whose connection breaks, or that an earlier one left half done."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from sqr_jobs import migrations
from sqr_jobs.adapters.sql import engine_for
from sqr_jobs.adapters.sql.dialects import dialect_of
from tests.contracts.schemas import objects
from tests.databases import SERVERS, cut

_TIMEOUT_S = 2
_SLEEP = {"postgresql": "SELECT pg_sleep({})", "mysql": "SELECT SLEEP({})"}
_UNBOUND = {"postgresql": "SET statement_timeout = 0", "mysql": "SET max_statement_time = 0"}

_on_servers = pytest.mark.parametrize("database_url", SERVERS, indirect=True)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Give an engine that is in a hurry, on an empty database."""
    made = engine_for(database_url, timeout_s=_TIMEOUT_S)
    yield made
    made.dispose()


@_on_servers
def test_a_statement_of_a_migration_outlasts_the_timeout_of_server_and_client(engine: Engine) -> None:
    """An index on a table of a year takes minutes; `sqr-jobs db upgrade` must not be ended in mid-index."""
    sleep = _SLEEP[engine.dialect.name]
    with engine.connect() as connection, dialect_of(engine).migrating(connection):
        dialect_of(engine).take_turn(connection)
        connection.exec_driver_sql(sleep.format(_TIMEOUT_S + 1.5))
        connection.commit()


@_on_servers
def test_after_a_migration_the_client_is_bound_again(engine: Engine) -> None:
    """The connection goes back to the pool, and the next one to wait may be a request."""
    name = engine.dialect.name
    with engine.connect() as connection:
        with dialect_of(engine).migrating(connection):
            connection.exec_driver_sql("SELECT 1")
        connection.exec_driver_sql(_UNBOUND[name])
        with pytest.raises(DBAPIError) as caught:
            connection.exec_driver_sql(_SLEEP[name].format(_TIMEOUT_S + 5))
        assert caught.value.connection_invalidated


@_on_servers
def test_a_connection_that_breaks_in_mid_migration_is_told_as_that(engine: Engine) -> None:
    """What gives the lock back afterwards has nothing to say: it went with the session."""

    def migrate() -> None:
        with engine.connect() as connection, dialect_of(engine).migrating(connection):
            cut(connection)
            connection.execute(text("SELECT 'the cause'"))

    with pytest.raises(DBAPIError) as caught:
        migrate()
    assert "the cause" in str(caught.value)
    assert caught.value.connection_invalidated
    migrations.upgrade(engine)  # the lock is free


@_on_servers
def test_what_a_migration_raises_comes_through_though_its_connection_has_broken(engine: Engine) -> None:
    """The operator reads what went wrong first."""

    def migrate() -> None:
        with engine.connect() as connection, dialect_of(engine).migrating(connection):
            cut(connection)
            raise LookupError("the cause")

    with pytest.raises(LookupError, match="the cause"):
        migrate()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_downgrade_that_finds_the_guard_of_terminal_states_gone_takes_the_rest(engine: Engine) -> None:
    """On PostgreSQL alone it has a function, which somebody may have dropped by hand."""
    before = objects(engine)
    migrations.upgrade(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP FUNCTION sqr_jobs_terminal_stays CASCADE")
    migrations.downgrade(engine, "base")
    assert objects(engine) == before
