"""What connections to MariaDB are like: which URLs serve, what is bound, and what a host's is left with."""

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import Engine, create_engine, make_url, select, text

from sqr_jobs import migrations
from sqr_jobs.adapters.sql import Database, engine_for
from sqr_jobs.domain.states import JobState
from sqr_jobs.errors import ConfigurationError, DatabaseUnavailable
from tests.contracts.job_store import JobStore
from tests.databases import host_engine_for

SECRET = "hunter2hunter2"
_SESSION = text(
    "SELECT @@tx_isolation, @@innodb_lock_wait_timeout, @@max_statement_time, @@idle_transaction_timeout,"
    " @@lock_wait_timeout,"
    " @@sql_mode LIKE '%STRICT_TRANS_TABLES%', @@character_set_client"
)


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mysql+pymysql", "mariadb+pymysql"])
def test_a_url_needs_no_driver_in_it(scheme: str) -> None:
    """Providers hand out `mysql://`, and both names lead to either server."""
    engine = engine_for(f"{scheme}://me:{SECRET}@host/name", timeout_s=1)
    assert engine.url.drivername == "mysql+pymysql"
    assert SECRET not in repr(engine)
    engine.dispose()


def test_an_option_that_the_driver_does_not_know_is_refused_at_the_start() -> None:
    """The driver would raise a TypeError at each connection."""
    with pytest.raises(
        ConfigurationError, match=r"the option sslmode, which PyMySQL does not know\."
    ) as caught:
        engine_for(f"mysql://me:{SECRET}@host/name?sslmode=require", timeout_s=1)
    assert SECRET not in str(caught.value)


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host reads what to install."""
    monkeypatch.setitem(sys.modules, "pymysql", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'sqr-jobs\[mysql\]'"):
        engine_for("mysql://host/name", timeout_s=1)


def test_a_connection_of_ours_is_bound_and_strict_whatever_the_server_is_set_to(jobs: Database) -> None:
    """The tests' server is neither: by default a wait for a lock lasts 10 minutes there."""
    engine = engine_for(jobs.engine.url.render_as_string(hide_password=False), timeout_s=2.5)
    ours = Database(engine, timeout_s=2.5)
    for kind in (ours.begin, ours.read):
        with kind() as connection:
            assert tuple(connection.execute(_SESSION).one()) == ("READ-COMMITTED", 3, 2.5, 6, 3, 1, "utf8mb4")
    ours.close()


def test_a_statement_that_takes_too_long_is_ended(jobs: Database) -> None:
    """Whatever it waits for."""
    engine = engine_for(jobs.engine.url.render_as_string(hide_password=False), timeout_s=0.3)
    hasty = Database(engine, timeout_s=0.3)
    with pytest.raises(DatabaseUnavailable), hasty.begin() as connection:
        connection.execute(text("SELECT COUNT(*) FROM seq_1_to_100000 a, seq_1_to_100000 b"))
    hasty.close()


@pytest.fixture
def host_engine(jobs: Database) -> Engine:
    """Give a host's engine with one connection, so that each user sees what the one before left."""
    return create_engine(jobs.engine.url.render_as_string(hide_password=False), pool_size=1, max_overflow=0)


@pytest.mark.parametrize("fails", [False, True])
def test_a_hosts_session_is_bound_for_our_transaction_and_then_as_it_was(
    host_engine: Engine, *, fails: bool
) -> None:
    """There is no such thing as a setting of a transaction; the host's own queries keep their time."""
    with host_engine.connect() as connection:
        before = connection.execute(_SESSION).one()
    on_hosts = Database(host_engine, is_host_engine=True, timeout_s=3)
    for kind in (on_hosts.begin, on_hosts.read):
        try:
            with kind() as connection:
                assert tuple(connection.execute(_SESSION).one())[:6] == ("READ-COMMITTED", 3, 3, 6, 3, 1)
                if fails:
                    connection.execute(text("SELECT nothing"))
        except DatabaseUnavailable:
            assert fails
    with host_engine.connect() as connection:
        assert connection.execute(_SESSION).one() == before
    host_engine.dispose()


def test_a_hosts_transaction_without_a_transaction_is_refused(jobs: Database, host_engine: Engine) -> None:
    """Each statement would commit, and the org's lock with it: an eleventh job could pass."""
    store = JobStore(jobs)
    level = host_engine.execution_options(isolation_level="AUTOCOMMIT")
    with level.connect() as connection:
        connection.exec_driver_sql("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        with pytest.raises(ConfigurationError, match="READ COMMITTED"):
            store.create(connection=connection)
    with host_engine.connect() as connection, pytest.raises(ConfigurationError, match="READ COMMITTED"):
        store.create(connection=connection)
    assert store.count() == 0
    host_engine.dispose()


def test_a_lease_that_is_renewed_to_the_same_instant_is_renewed(jobs: Database) -> None:
    """MySQL counts rows that a statement changed, unless asked for those it found; the attempt would end."""
    store = JobStore(jobs)
    claim = store.claim(store.create(lifetime_s=20).job_id)  # the lease reaches to the deadline already
    assert store.renew(claim)
    assert store.renew(claim)


def test_the_clock_is_utc_whatever_the_sessions_time_zone(jobs: Database) -> None:
    """In a zone with summer time one hour of the year comes twice."""
    with jobs.read() as connection:
        first = connection.scalar(select(jobs.now))
        connection.exec_driver_sql("SET time_zone = '-11:00'")
        second = connection.scalar(select(jobs.now))
        connection.exec_driver_sql("SET time_zone = DEFAULT")
    assert 0 <= second - first < 10_000


def test_a_job_of_a_host_that_is_not_strict_is_stored_whole(jobs: Database) -> None:
    """Without the strict mode MariaDB cuts what is too long, and says so in a warning that nobody reads."""
    engine = create_engine(
        jobs.engine.url.render_as_string(hide_password=False),
        connect_args={"init_command": "SET sql_mode=''"},
    )
    store = JobStore(Database(engine, is_host_engine=True))
    assert store.create(org_id="o" * 255).state is JobState.QUEUED
    with pytest.raises(DatabaseUnavailable):
        store.create(org_id="o" * 256)
    engine.dispose()


def test_of_two_hosts_transactions_that_wait_for_each_other_one_hears_that_the_database_refused(
    jobs: Database,
) -> None:
    """MariaDB ends one of them whole, its savepoints with it; no error of the driver's comes through."""
    store = JobStore(jobs)
    engine = host_engine_for(jobs.engine.url.render_as_string(hide_password=False))
    with engine.connect() as one, engine.connect() as other, ThreadPoolExecutor() as pool:
        store.create(org_id="first", connection=one)
        store.create(org_id="second", connection=other)
        crossing = [
            pool.submit(store.create, "U2", org_id="second", connection=one),
            pool.submit(store.create, "U2", org_id="first", connection=other),
        ]
        errors = [crossed.exception(timeout=10) for crossed in crossing]
        assert sorted(type(error).__name__ for error in errors) == ["DatabaseUnavailable", "NoneType"]
        for connection in (one, other):
            connection.rollback()
            assert store.create(connection=connection).state is JobState.QUEUED
            connection.rollback()
    assert store.count() == 0
    engine.dispose()


def test_a_pool_of_one_connection_suffices_for_an_organisations_first_job(jobs: Database) -> None:
    """Its row is made before the creation, not beside it: a second connection is never to be had here."""
    url = jobs.engine.url.render_as_string(hide_password=False)
    engine = create_engine(url, pool_size=1, max_overflow=0, pool_timeout=1)
    store = JobStore(Database(engine, is_host_engine=True))
    assert store.create(org_id="new").state is JobState.QUEUED
    assert store.story(store.create("U2", org_id="new").job_id) == ["create"]
    engine.dispose()


def test_the_first_jobs_of_many_organisations_at_once_are_all_accepted(jobs: Database) -> None:
    """If each kept a connection while it asked for a second, they would wait for each other."""
    url = jobs.engine.url.render_as_string(hide_password=False)
    engine = create_engine(url, pool_size=4, max_overflow=0, pool_timeout=5)
    store = JobStore(Database(engine, is_host_engine=True))
    together = Barrier(12)

    def ask(number: int) -> JobState:
        together.wait(timeout=10)
        return store.create(org_id=f"new {number}").state

    with ThreadPoolExecutor(together.parties) as threads:
        assert list(threads.map(ask, range(together.parties))) == [JobState.QUEUED] * together.parties
    engine.dispose()


def test_a_hosts_engine_that_speaks_of_mariadb_serves_as_well(mariadb_url: str) -> None:
    """SQLAlchemy has two names for the dialect, and options of tables under each."""
    engine = create_engine(make_url(mariadb_url).set(drivername="mariadb+pymysql"))
    assert engine.dialect.name == "mariadb"
    migrations.upgrade(engine)
    on_hosts = Database(engine, is_host_engine=True)
    store = JobStore(on_hosts)
    store.finish(store.claim(store.create().job_id))
    later = store.create()
    claim = store.execution.claim(None)  # the oldest that is due, by the index
    assert claim is not None
    assert claim.job.job_id == later.job_id
    with on_hosts.read() as connection:
        on_hosts.dialect.check(connection)
        assert on_hosts.dialect.told(connection).startswith("mariadb 1")
    engine.dispose()
