"""What the job store promises inside a transaction that belongs to the host."""

import contextlib
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from sqr_jobs.adapters.sql import Database
from sqr_jobs.domain.states import JobState
from sqr_jobs.errors import JobAlreadyActive, RateLimited, SqrJobsError
from tests.contracts.job_store import CEILING, JobStore
from tests.databases import SERVERS, cut, host_engine_for

_SESSIONS = {
    "postgresql": (
        "SELECT current_setting('transaction_isolation'), current_setting('statement_timeout')",
        "3s",
        "0",
    ),
    "mysql": (
        "SELECT lower(replace(@@tx_isolation, '-', ' ')), concat(@@max_statement_time + 0)",
        "3.000000",
        "0.000000",
    ),
}
"""How to read level and time-out, the time-out of 3 s, and none."""


@pytest.fixture
def host_engine(database: Database) -> Iterator[Engine]:
    """Give an engine as a host makes it, on the database that holds the jobs, with a table of its own."""
    engine = host_engine_for(database.engine.url.render_as_string(hide_password=False))
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS host_order"))
        connection.execute(text("CREATE TABLE host_order (name TEXT)"))
    yield engine
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE host_order"))
    engine.dispose()


def _order(connection: Connection, name: str) -> None:
    connection.execute(text("INSERT INTO host_order VALUES (:name)"), {"name": name})


def _orders(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT name FROM host_order ORDER BY name")).scalars())


def test_a_job_in_the_hosts_transaction_is_there_from_the_hosts_commit_on(
    store: JobStore, host_engine: Engine
) -> None:
    """The host's order and its report are one fact: nobody sees one without the other."""
    with host_engine.begin() as connection:
        _order(connection, "first")
        job = store.create(connection=connection)
        assert store.intake.find("acme", job.job_id) is None
    assert store.read(job.job_id).state is JobState.QUEUED
    assert store.story(job.job_id) == ["create"]
    assert _orders(host_engine) == ["first"]


def test_the_hosts_rollback_leaves_nothing(store: JobStore, host_engine: Engine) -> None:
    """A report for an order that was never placed would be a leak."""
    with host_engine.connect() as connection, connection.begin() as transaction:
        _order(connection, "first")
        store.create(connection=connection)
        transaction.rollback()
    assert store.rows() == ([], [])
    assert _orders(host_engine) == []


def test_the_hosts_rollback_leaves_nothing_when_the_job_came_first(
    store: JobStore, host_engine: Engine
) -> None:
    """SQLite's driver begins only at the first write: a SAVEPOINT before that would commit by itself."""
    with host_engine.connect() as connection, connection.begin() as transaction:
        store.create(connection=connection)
        _order(connection, "first")
        transaction.rollback()
    assert store.rows() == ([], [])
    assert _orders(host_engine) == []


def test_a_job_that_came_first_is_not_seen_before_the_hosts_commit(
    store: JobStore, host_engine: Engine
) -> None:
    """Likewise: until the host commits, no worker may begin."""
    with host_engine.begin() as connection:
        job = store.create(connection=connection)
        assert store.intake.find("acme", job.job_id) is None
    assert store.read(job.job_id).state is JobState.QUEUED


def test_a_rollback_to_the_hosts_savepoint_takes_the_job_and_nothing_else(
    store: JobStore, host_engine: Engine
) -> None:
    """A host may try a part of its work and drop that part."""
    with host_engine.begin() as connection:
        _order(connection, "first")
        with connection.begin_nested() as savepoint:
            _order(connection, "second")
            store.create(connection=connection)
            savepoint.rollback()
        _order(connection, "third")
    assert store.rows() == ([], [])
    assert _orders(host_engine) == ["first", "third"]


def test_a_refusal_leaves_the_hosts_transaction_usable(store: JobStore, host_engine: Engine) -> None:
    """On PostgreSQL a failed statement would doom it: the host's own work must go on."""
    for number in range(9):
        store.create(f"U{number}", ceiling=CEILING)
    with host_engine.begin() as connection:
        _order(connection, "first")
        with pytest.raises(JobAlreadyActive):
            store.create("U1", ceiling=CEILING, connection=connection)
        job = store.create("U9", ceiling=CEILING, connection=connection)
        with pytest.raises(RateLimited):
            store.create("U10", ceiling=CEILING, connection=connection)
        _order(connection, "second")
    assert _orders(host_engine) == ["first", "second"]
    assert store.read(job.job_id).state is JobState.QUEUED
    assert store.count() == 10


def test_two_jobs_of_one_transaction_are_held_to_the_same_rules(store: JobStore, host_engine: Engine) -> None:
    """I2, I12: what the transaction itself inserted counts."""
    with host_engine.begin() as connection:
        for number in range(10):
            store.create(f"U{number}", ceiling=CEILING, connection=connection)
        with pytest.raises(RateLimited):
            store.create("U10", ceiling=CEILING, connection=connection)
    with host_engine.begin() as connection:
        store.create("U1", org_id="other", connection=connection)
        with pytest.raises(JobAlreadyActive):
            store.create("U1", org_id="other", connection=connection)
    assert store.count() == 11


@pytest.mark.parametrize("database", SERVERS, indirect=True)
def test_a_connection_that_breaks_after_a_creation_breaks_as_it_does_without_one(
    store: JobStore, host_engine: Engine
) -> None:
    """A host that tries again after its driver's error must see that error, and be able to roll back."""

    def create_and_break(connection: Connection) -> None:
        store.create(connection=connection)
        cut(connection)
        connection.execute(text("SELECT 1"))

    def plainly() -> None:
        with host_engine.begin() as connection:
            create_and_break(connection)

    def in_a_savepoint() -> None:
        with host_engine.begin() as connection, connection.begin_nested():
            create_and_break(connection)

    for way in (plainly, in_a_savepoint):
        with pytest.raises(DBAPIError) as caught:
            way()
        assert caught.value.connection_invalidated
    with Session(host_engine) as session:
        with pytest.raises(DBAPIError) as caught:
            create_and_break(session.connection())
        assert caught.value.connection_invalidated
        session.rollback()
        assert store.create(connection=session.connection()).state is JobState.QUEUED
        session.commit()
    assert store.count() == 1


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
@pytest.mark.parametrize("database", SERVERS, indirect=True)
def test_no_isolation_level_of_the_host_lets_an_eleventh_job_through(
    store: JobStore, host_engine: Engine, level: str
) -> None:
    """I12: a snapshot from before the others' commits must not be what is counted."""
    with (
        contextlib.suppress(SqrJobsError, DBAPIError),  # the creation or the commit may refuse
        host_engine.connect().execution_options(isolation_level=level) as connection,
    ):
        connection.execute(text("SELECT count(*) FROM host_order"))  # the snapshot is taken here
        for number in range(10):
            store.create(f"U{number}", ceiling=CEILING)
        store.create("U10", ceiling=CEILING, connection=connection)
        connection.commit()
    assert store.count() == 10


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE", "AUTOCOMMIT"])
@pytest.mark.parametrize("database", SERVERS, indirect=True)
def test_a_hosts_engine_keeps_its_isolation_level_and_the_store_has_its_own(
    database: Database, level: str
) -> None:
    """Two claims under REPEATABLE READ would fail each other; the host's own queries want what they want."""
    url = database.engine.url.render_as_string(hide_password=False)
    engine = create_engine(url, isolation_level=level)
    on_hosts = Database(engine, is_host_engine=True, timeout_s=3)
    question, bound, unbound = _SESSIONS[engine.dialect.name]
    with on_hosts.begin() as connection:
        assert connection.execute(text(question)).one() == ("read committed", bound)
    with engine.connect() as connection:
        expected = "read committed" if level == "AUTOCOMMIT" else level.lower()
        assert connection.execute(text(question)).one() == (expected, unbound)
    store = JobStore(on_hosts)
    claim = store.claimed()
    store.finish(claim)
    assert store.story(claim.job.job_id) == ["create", "claim", "complete"]
    engine.dispose()


def test_a_hosts_sqlite_engine_lends_its_file_and_nothing_else(database: Database) -> None:
    """WAL and BEGIN IMMEDIATE are decided per connection, and the host's own connections stay as they are."""
    if not database.is_sqlite:
        assert Database(database.engine, is_host_engine=True).engine.pool is database.engine.pool
        return
    engine = create_engine(database.engine.url.render_as_string(hide_password=False))
    on_hosts = Database(engine, is_host_engine=True)
    store = JobStore(on_hosts)
    job = store.create()
    assert JobStore(database).read(job.job_id).state is JobState.QUEUED
    assert on_hosts.engine is not engine
    with on_hosts.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
    on_hosts.close()
    engine.dispose()
