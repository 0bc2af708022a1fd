"""What every job store promises about a database that is out of reach, or not the right one."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, func, select, text

from sqr_jobs import migrations
from sqr_jobs.adapters.sql import Database, engine_for, rehearsal
from sqr_jobs.adapters.sql.rows import move
from sqr_jobs.adapters.sql.tables import audit, idempotency, job
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.states import JobState
from sqr_jobs.errors import ConfigurationError, DatabaseUnavailable
from tests.contracts.job_store import SERVICE, JobStore, document_of
from tests.contracts.sockets import silent_server
from tests.databases import DATABASES, SERVERS
from tests.servers.ports import free_port, wait_until

SECRET = "hunter2hunter2"

EVERY_CALL: dict[str, Callable[[JobStore], object]] = {
    "create": lambda store: store.create(),
    "find": lambda store: store.intake.find("acme", "id"),
    "claim": lambda store: store.execution.claim(None),
    "count_due": lambda store: store.upkeep.count_due(),
    "due": lambda store: store.upkeep.due(10),
    "reap_leases": lambda store: store.upkeep.reap_leases(10),
    "reap_deadlines": lambda store: store.upkeep.reap_deadlines(10),
    "history": lambda store: store.history.history("id"),
}

_PROCESSES = {
    "postgresql": (
        "SELECT pg_backend_pid()",
        "SELECT pg_terminate_backend(:pid)",
        "SELECT count(*) FROM pg_stat_activity WHERE pid = :pid",
    ),
    "mysql": (
        "SELECT connection_id()",
        "KILL CONNECTION :pid",
        "SELECT count(*) FROM information_schema.processlist WHERE id = :pid",
    ),
}
"""How a connection names itself, is cut, and is looked for."""


@pytest.fixture(params=DATABASES)
def unreachable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Give a database that is not there."""
    urls = {
        "sqlite": f"sqlite:///{tmp_path}/no/such/folder/jobs.db",
        "postgresql": f"postgresql+psycopg://someone:{SECRET}@127.0.0.1:{free_port()}/payroll",
        "mariadb": f"mariadb+pymysql://someone:{SECRET}@127.0.0.1:{free_port()}/payroll",
    }
    made = Database(engine_for(urls[request.param], timeout_s=1), timeout_s=1)
    yield made
    made.close()


@pytest.mark.parametrize("name", EVERY_CALL)
def test_a_database_out_of_reach_is_unavailable_in_words_that_tell_nothing_of_it(
    unreachable: Database, name: str
) -> None:
    """I15: the text may stand in a log or an answer; host, user, password and SQL must not."""
    with pytest.raises(DatabaseUnavailable) as caught:
        EVERY_CALL[name](JobStore(unreachable))
    said = str(caught.value)
    assert said.endswith(".")
    for private in (SECRET, "127.0.0.1", "someone", "payroll", "such/folder", "SELECT", "sqr_jobs_job"):
        assert private not in said
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("scheme", SERVERS)
def test_a_database_that_never_answers_is_unavailable_after_its_timeout(scheme: str) -> None:
    """I16: a firewall that swallows packets must not hold a request for minutes."""
    with silent_server() as port:
        url = f"{scheme}://someone:{SECRET}@127.0.0.1:{port}/payroll"
        silent = Database(engine_for(url, timeout_s=1), timeout_s=1)
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            JobStore(silent).create()
        assert time.monotonic() - started < 6
        silent.close()


def test_a_rehearsal_stores_nothing_and_no_worker_sees_its_job(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sqr-jobs check` tries each write where real jobs are waiting."""
    store, seen = JobStore(database), []

    def look_and_move(*arguments: Any, **options: Any) -> bool:
        seen.append(store.upkeep.count_due())
        return move(*arguments, **options)

    monkeypatch.setattr(rehearsal, "move", look_and_move)
    rehearsal.rehearse(database, store.intake, service=SERVICE)
    assert seen == [0]
    with database.read() as connection:
        for table in (job, audit, idempotency):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 0


def test_each_database_has_an_identity_of_its_own(database: Database, tmp_path: Path) -> None:
    """A worker that looks at another database than the web process would never find a job."""
    url = database.engine.url.render_as_string(hide_password=False)
    same = Database(engine_for(url, timeout_s=5), timeout_s=5)
    other = Database(engine_for(f"sqlite:///{tmp_path}/other.db", timeout_s=5), timeout_s=5)
    migrations.upgrade(other.engine)
    identity = JobStore(database).upkeep.database_identity()
    assert identity == JobStore(same).upkeep.database_identity()
    assert identity != JobStore(other).upkeep.database_identity()
    same.close()
    other.close()


@pytest.mark.parametrize("name", EVERY_CALL)
def test_a_database_without_our_tables_says_how_to_make_them(database_url: str, name: str) -> None:
    """The first thing that a new operator meets must name the command."""
    empty = Database(engine_for(database_url, timeout_s=5), timeout_s=5)
    with pytest.raises(DatabaseUnavailable, match="sqr-jobs db upgrade") as caught:
        EVERY_CALL[name](JobStore(empty))
    assert "SELECT" not in str(caught.value)
    empty.close()


def test_a_migrated_database_can_be_migrated_again_and_taken_back(database_url: str) -> None:
    """`sqr-jobs db upgrade` runs at each deployment."""
    made = Database(engine_for(database_url, timeout_s=5), timeout_s=5)
    assert migrations.current(made.engine) is None
    migrations.upgrade(made.engine)
    migrations.upgrade(made.engine)
    assert migrations.current(made.engine) == migrations.head()
    assert JobStore(made).create().state is JobState.QUEUED
    migrations.downgrade(made.engine, "base")
    with pytest.raises(DatabaseUnavailable):
        JobStore(made).create()
    migrations.upgrade(made.engine)
    assert JobStore(made).create().state is JobState.QUEUED
    made.close()


def test_a_write_does_not_wait_for_a_lock_longer_than_the_timeout(database: Database) -> None:
    """I16: a row that another process holds must not hold up a request for ever."""
    claim = JobStore(database).claimed()
    url = database.engine.url.render_as_string(hide_password=False)
    hasty = Database(engine_for(url, timeout_s=1), timeout_s=1)
    with database.begin() as connection:
        connection.execute(text("UPDATE sqr_jobs_job SET duration_ms = 7"))
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            JobStore(hasty).execution.complete(claim, document_of(claim), duration_ms=1)
        assert time.monotonic() - started < 5
    JobStore(hasty).finish(claim)
    hasty.close()


@pytest.mark.parametrize("database", SERVERS, indirect=True)
def test_a_connection_cut_in_mid_transaction_leaves_nothing_and_the_next_one_works(
    database: Database,
) -> None:
    """A server that restarts under us costs one call, not the process."""
    url = database.engine.url.render_as_string(hide_password=False)
    ours = Database(engine_for(url, timeout_s=5, pool_size=1), timeout_s=5)
    store = JobStore(ours)
    own_pid, terminate, alive = _PROCESSES[database.engine.dialect.name]

    def pid(connection: Connection) -> int:
        return connection.exec_driver_sql(own_pid).scalar_one()

    def cut(backend: int) -> None:
        with database.engine.begin() as other:
            other.execute(text(terminate), {"pid": backend})
        wait_until(lambda: is_gone(backend), seconds=10, what="its end")

    def is_gone(backend: int) -> bool:
        with database.read() as other:  # anew each time: within a transaction the view stands still
            return other.execute(text(alive), {"pid": backend}).scalar_one() == 0

    claim = store.claimed()

    def write_and_be_cut() -> None:
        with ours.begin() as connection:
            connection.execute(text("UPDATE sqr_jobs_job SET duration_ms = 7"))
            cut(pid(connection))
            connection.execute(text("UPDATE sqr_jobs_job SET duration_ms = 8"))

    with pytest.raises(DatabaseUnavailable) as caught:
        write_and_be_cut()
    assert "UPDATE" not in str(caught.value)
    assert store.read(claim.job.job_id).duration_ms is None
    with ours.read() as connection:
        pooled = pid(connection)
    cut(pooled)
    assert store.execution.fail(claim, JobErrorCode.RENDER_FAILED, "") is JobState.FAILED
    ours.close()


def test_the_clock_is_the_databases_in_milliseconds_and_moves_within_a_transaction(
    database: Database,
) -> None:
    """SQLite's own now() has no fractions, PostgreSQL's stands still until the commit."""
    with database.begin() as connection:
        first = connection.execute(select(database.now)).scalar_one()
        assert abs(first - time.time() * 1000) < 60_000
        seen = set()
        wait_until(
            lambda: seen.add(connection.execute(select(database.now)).scalar_one()) or len(seen) > 3,
            seconds=5,
            what="a clock that moves",
        )
        assert max(seen) - first < 5_000
        assert any(moment % 1000 for moment in seen)
    database.clock_offset_ms = 3_600_000
    with database.read() as connection:
        moved = connection.execute(select(database.now)).scalar_one()
    assert 3_600_000 <= moved - first < 3_660_000


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        f"postgresql://me:{SECRET}@host:port/name",
        f"postgres://me:{SECRET}@host/name",
        f"mssql+pyodbc://me:{SECRET}@host/name",
        f"mysql+mysqldb://me:{SECRET}@host/name",
        f"mariadb+asyncmy://me:{SECRET}@host/name",
        f"postgresql+asyncpg://me:{SECRET}@host/name",
        f"postgresql+psycopg2://me:{SECRET}@host/name",
        "sqlite+aiosqlite:///jobs.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file::memory:?cache=shared&uri=true",
        "sqlite:///file:jobs?mode=memory&cache=shared&uri=true",
    ],
)
def test_a_database_url_that_does_not_serve_is_refused_in_a_sentence(url: str) -> None:
    """At the start, with the variable to set, and without the password that stands in it."""
    with pytest.raises(ConfigurationError) as caught:
        engine_for(url, timeout_s=1).dispose()
    said = str(caught.value)
    assert "SQR_JOBS_DATABASE_URL" in said
    assert said.endswith(".")
    assert SECRET not in said
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_a_postgresql_url_needs_no_driver_in_it(scheme: str) -> None:
    """What hosting providers hand out starts with postgresql://."""
    engine = engine_for(f"{scheme}://me:{SECRET}@host/name", timeout_s=1)
    assert engine.url.drivername == "postgresql+psycopg"
    assert SECRET not in repr(engine)
    engine.dispose()


class AsyncEngine:
    """Stands for SQLAlchemy's class of this name, which wants greenlet to be installed."""


def _mssql() -> Engine:
    driver = SimpleNamespace(paramstyle="qmark", version="5.0", pooling=False, Cursor=object)
    return create_engine("mssql+pyodbc://payroll", module=driver)


@pytest.mark.parametrize(
    ("engine", "word"),
    [
        (AsyncEngine, "AsyncEngine"),
        (lambda: "sqlite:///jobs.db", "sqlalchemy.Engine"),
        (lambda: None, "sqlalchemy.Engine"),
        (_mssql, "mssql"),
        (lambda: create_engine("sqlite://"), "in-memory"),
    ],
    ids=["AsyncEngine", "URL", "None", "SQL Server", "in memory"],
)
def test_an_engine_of_the_host_that_does_not_serve_is_refused_in_a_sentence(
    engine: Callable[[], Engine], word: str
) -> None:
    """The host reads at its start what to pass instead."""
    given = engine()
    with pytest.raises(ConfigurationError, match=word) as caught:
        Database(given, is_host_engine=True)
    assert str(caught.value).endswith(".")
    if isinstance(given, Engine):
        given.dispose()
