"""What every job store promises about sessions: useless ones are dropped, and none waits without a bound."""

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text

from sqr_jobs import migrations
from sqr_jobs.adapters.sql import Database, engine_for
from sqr_jobs.domain.states import JobState
from sqr_jobs.errors import DatabaseUnavailable
from tests.contracts.job_store import JobStore
from tests.databases import SERVERS, host_engine_for

_on_servers = pytest.mark.parametrize("database_url", SERVERS, indirect=True)
_on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
_POOL = 3
_PID = {"postgresql": "SELECT pg_backend_pid()", "mysql": "SELECT connection_id()"}
_RAISE = {
    "postgresql": "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{}'; END $$",
    "mysql": "BEGIN NOT ATOMIC SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {}; END",
}
_USELESS = {
    "postgresql": ("25006", "57P01", "57P03", "57P05", "0A000", "08006", "26000", "42P05"),
    "mysql": ("1290", "1792", "1836", "1053", "1047"),
}
_OF_A_STATEMENT = {
    "postgresql": ("22012", "40001", "57014", "53100"),
    "mysql": ("1365", "1213", "1205", "3024"),
}


@pytest.fixture(params=["own", "host"])
def jobs(request: pytest.FixtureRequest, database_url: str) -> Iterator[Database]:
    """Give a migrated database on an engine of our own, and on a host's."""
    is_host_engine = request.param == "host"
    engine = host_engine_for(database_url) if is_host_engine else engine_for(database_url, timeout_s=5)
    made = Database(engine, timeout_s=5, is_host_engine=is_host_engine)
    migrations.upgrade(made.engine)
    yield made
    made.engine.dispose()


def _open_all(jobs: Database) -> set[int]:
    """Fill the pool, and name its sessions."""
    connections = [jobs.engine.connect() for _ in range(_POOL)]
    pids = {each.exec_driver_sql(_PID[each.dialect.name]).scalar_one() for each in connections}
    for connection in connections:
        connection.close()
    return pids


def _fail(jobs: Database, code: str) -> None:
    with pytest.raises(DatabaseUnavailable), jobs.begin() as connection:
        connection.exec_driver_sql(_RAISE[connection.dialect.name].format(code))


@_on_postgresql
def test_a_database_that_was_read_only_is_written_to_by_the_next_request(jobs: Database) -> None:
    """A session keeps the `default_transaction_read_only` that it began with; a pool kept such sessions."""
    store = JobStore(jobs)
    url = jobs.engine.url
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as operator:
        operator.exec_driver_sql(f"ALTER DATABASE {url.database} SET default_transaction_read_only = on")
        jobs.engine.dispose()
        with pytest.raises(DatabaseUnavailable, match="ReadOnlySqlTransaction"):
            store.create()
        _open_all(jobs)
        assert store.count() == 0  # reads go on
        operator.exec_driver_sql(f"ALTER DATABASE {url.database} RESET default_transaction_read_only")
    admin.dispose()
    assert store.create().state is JobState.QUEUED


@_on_servers
def test_a_session_that_the_server_no_longer_serves_is_dropped(jobs: Database) -> None:
    """Of a pool of our own the idle ones share its fate; a host's pool is the host's to judge."""
    is_own = jobs.engine.get_execution_options().get("isolation_level") is None
    for code in _USELESS[jobs.engine.dialect.name]:
        before = _open_all(jobs)
        _fail(jobs, code)
        kept = before & _open_all(jobs)
        assert len(kept) == (0 if is_own else _POOL - 1), code


@_on_servers
def test_a_session_outlives_what_is_wrong_with_one_statement(jobs: Database) -> None:
    """Connecting costs more than a statement; a deadlock must not empty the pool."""
    before = _open_all(jobs)
    for code in _OF_A_STATEMENT[jobs.engine.dialect.name]:
        _fail(jobs, code)
    assert _open_all(jobs) == before


@_on_servers
def test_a_hosts_own_queries_keep_their_sessions(database_url: str) -> None:
    """What the library does about its sessions must not reach into the host's use of its engine."""
    host = host_engine_for(database_url)
    Database(host, timeout_s=5, is_host_engine=True)
    name = host.dialect.name
    with host.connect() as connection:
        before = connection.exec_driver_sql(_PID[name]).scalar_one()
        with pytest.raises(Exception, match=r".") as caught:
            connection.exec_driver_sql(_RAISE[name].format(_USELESS[name][0]))
        assert not caught.value.connection_invalidated
        connection.rollback()
        assert connection.exec_driver_sql(_PID[name]).scalar_one() == before
    host.dispose()


@_on_postgresql
def test_sessions_of_postgresql_are_bound(jobs: Database) -> None:
    """A statement, a lock, or a process that stands still in a transaction must not hold rows for ever."""
    bounds = [
        text(f"SELECT current_setting('{name}')")
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    ]
    for kind in (jobs.begin, jobs.read):
        with kind() as connection:
            assert [connection.scalar(bound) for bound in bounds] == ["5s", "5s", "10s"]
