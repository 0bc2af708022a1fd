"""The tables come, change and go, and say of themselves where they stand."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text, update
from sqlalchemy.exc import DBAPIError

from sqr_jobs import migrations
from sqr_jobs.adapters.sql import Database, engine_for
from sqr_jobs.adapters.sql.tables import identity
from sqr_jobs.domain.states import JobState
from sqr_jobs.errors import ConfigurationError, DatabaseUnavailable
from tests.contracts.job_store import JobStore
from tests.contracts.schemas import objects, ours
from tests.databases import SERVERS
from tests.servers.ports import wait_until

HEAD = migrations.head()
LATER = "sqr_jobs_9999"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Give an engine on an empty database of each kind."""
    made = engine_for(database_url, timeout_s=10)
    yield made
    made.dispose()


@pytest.fixture
def host_engine(database_url: str) -> Iterator[Engine]:
    """Give an engine as a host makes it, on an empty database of each kind."""
    made = create_engine(database_url)
    yield made
    made.dispose()


def _brought_further(engine: Engine, *, serves_from: str) -> None:
    """Let the tables be those of a later version."""
    migrations.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(update(identity).values(revision=LATER, serves_from=serves_from))
        connection.execute(text(f"UPDATE {migrations.VERSION_TABLE} SET version_num = '{LATER}'"))


def test_taking_the_tables_back_leaves_nothing_and_they_can_come_again(host_engine: Engine) -> None:
    """No table, trigger, function or sequence stays behind, not even the record of the revision."""
    before = objects(host_engine)
    migrations.upgrade(host_engine)
    made = objects(host_engine)
    migrations.upgrade(host_engine)
    assert objects(host_engine) == made
    migrations.downgrade(host_engine, "base")
    assert objects(host_engine) == before
    assert migrations.current(host_engine) is None
    migrations.upgrade(host_engine)
    assert objects(host_engine) == made
    assert migrations.current(host_engine) == HEAD


def test_every_revision_and_the_way_back_say_where_the_tables_stand(engine: Engine) -> None:
    """A script that forgot the row would leave `sqr-jobs check` with yesterday's answer."""
    config = Config()
    config.set_main_option("script_location", "sqr_jobs:migrations")
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]
    assert revisions[-1] == HEAD
    for revision in revisions:
        migrations.upgrade(engine, revision)
        assert migrations.current(engine) == revision
    for revision in [*revisions[-2::-1], None]:
        migrations.downgrade(engine, revision or "base")
        assert migrations.current(engine) == revision


@pytest.mark.filterwarnings("ignore:Computed default on sqr_jobs_job.active_slot")
def test_the_revisions_make_what_the_code_believes_in(engine: Engine) -> None:
    """Alembic sees no difference between the metadata and the tables: none is missing, none is too many.

    It can't compare a generated column on PostgreSQL, which writes the expression in its own words, and
    warns of that; the next test does.
    """
    migrations.upgrade(engine)
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True, "include_name": _only_ours}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, migrations.metadata) == []


def _only_ours(name: str | None, kind: str, parents: object) -> bool:
    beside = (migrations.VERSION_TABLE, "sqr_jobs_org_lock")  # the second is a lock of MariaDB's alone
    return kind != "table" or (str(name).startswith("sqr_jobs_") and name not in beside)


def test_the_revisions_make_what_the_metadata_would_make_but_the_guard_of_terminal_states(
    engine: Engine,
) -> None:
    """Alembic's comparison sees neither names of keys nor collations nor triggers; this one does."""
    migrations.metadata.create_all(engine)
    by_metadata = ours(engine)
    migrations.metadata.drop_all(engine)
    migrations.upgrade(engine)
    guards = {described for described in ours(engine) if _is_guard(described)}
    assert ours(engine) - guards == by_metadata
    assert {described.split()[0].lower() for described in guards} >= {
        "create" if engine.dialect.name == "sqlite" else "trigger"
    }


def _is_guard(described: str) -> bool:
    return "sqr_jobs_terminal_stays" in described or "sqr_jobs_org_lock" in described


@pytest.mark.parametrize("state", ["COMPLETE", "FAILED", "CANCELLED"])
def test_the_database_itself_refuses_to_change_the_state_of_a_job_that_ended(
    database: Database, state: str
) -> None:
    """Whoever writes to the table by hand, or by a bug, can't bring a job back."""
    job_id = JobStore(database).create().job_id

    def put(target: str) -> None:
        with database.begin() as connection:
            connection.execute(text(f"UPDATE sqr_jobs_job SET state = '{target}', attempt = attempt + 1"))

    put("RUNNING")
    put(state)
    put(state)
    with pytest.raises((DatabaseUnavailable, DBAPIError)):
        put("QUEUED")
    assert JobStore(database).read(job_id).state == state


def test_a_migration_that_fails_can_be_repeated(host_engine: Engine) -> None:
    """It leaves nothing; on MariaDB, where each statement commits, the next one clears what it left."""
    with host_engine.begin() as connection:
        connection.execute(text("CREATE TABLE sqr_jobs_audit (in_the_way INTEGER)"))
    before = objects(host_engine)
    with pytest.raises(DatabaseUnavailable):
        migrations.upgrade(host_engine)
    if host_engine.dialect.name != "mysql":
        assert objects(host_engine) == before
    with host_engine.begin() as connection:
        connection.execute(text("DROP TABLE sqr_jobs_audit"))
    migrations.upgrade(host_engine)
    assert migrations.current(host_engine) == HEAD
    assert JobStore(Database(host_engine, is_host_engine=True)).create().state is JobState.QUEUED


_TURNS = {
    "postgresql": (
        "pg_try_advisory_xact_lock(7305, 1)",
        "pg_try_advisory_lock(7305, 1)",
        "pg_advisory_unlock(7305, 1)",
    ),
    "mysql": (
        "GET_LOCK",
        "GET_LOCK(CONCAT('sqr_jobs:', MD5(DATABASE())), 0)",
        "RELEASE_LOCK(CONCAT('sqr_jobs:', MD5(DATABASE())))",
    ),
}


@pytest.mark.parametrize("database_url", SERVERS, indirect=True)
def test_a_migration_waits_for_another(engine: Engine) -> None:
    """Two deployments at once would make the same tables; on SQLite the transaction itself sees to it."""
    knocked: list[str] = []
    knock, take, give = _TURNS[engine.dialect.name]

    def note(*arguments: Any) -> None:
        if knock in arguments[2]:
            knocked.append(arguments[2])

    with engine.connect() as other, ThreadPoolExecutor() as pool:
        other.execute(text(f"SELECT {take}"))
        other.commit()
        event.listen(engine, "before_cursor_execute", note)
        upgrading = pool.submit(migrations.upgrade, engine)
        wait_until(lambda: len(knocked) > 1, seconds=10, what="the second one to knock twice")
        assert objects(engine) == set()
        other.execute(text(f"SELECT {give}"))
        upgrading.result(timeout=10)
    assert migrations.current(engine) == HEAD


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_migration_leaves_nothing_in_the_session_between_its_transactions(host_engine: Engine) -> None:
    """Behind PgBouncer the next transaction has another session, and that one another client.

    On MariaDB the lock is the session's: no transaction could own it.
    """
    left: list[tuple[Any, ...]] = []
    asked = (
        "SELECT current_setting('statement_timeout'), current_setting('default_transaction_isolation'),"
        " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())"
    )

    @event.listens_for(host_engine, "begin")
    def _look(connection: Connection) -> None:
        with connection.connection.cursor() as cursor:
            left.append(cursor.execute(asked).fetchone())

    migrations.upgrade(host_engine)
    migrations.stamp(host_engine)
    migrations.downgrade(host_engine, "base")
    with host_engine.connect() as connection:
        connection.begin()
    assert len(left) > 6
    assert set(left) == {("0", "read committed", 0)}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_setting_of_the_role_survives_a_migration(host_engine: Engine) -> None:
    """It was reset, which is not what a pooler's session had been."""
    with host_engine.connect() as connection:
        connection.exec_driver_sql("SET statement_timeout = '7s'")
        connection.commit()
    migrations.upgrade(host_engine)
    with host_engine.connect() as connection:
        assert connection.scalar(text("SHOW statement_timeout")) == "7s"


def test_the_tables_of_a_later_version_that_serve_this_one_are_left_as_they_are(engine: Engine) -> None:
    """In a rolling deployment, and after going back, the older version's start command must succeed."""
    _brought_further(engine, serves_from=HEAD)
    migrations.upgrade(engine)
    found = migrations.status(engine)
    assert (found.revision, found.is_served, found.fault) == (LATER, True, None)
    assert "newer than this version of sqr-jobs, which it still serves" in found.told


def test_the_tables_of_a_later_version_that_no_longer_serve_this_one_ask_for_that_version(
    engine: Engine,
) -> None:
    """`sqr-jobs db upgrade` with the old package would help nobody."""
    _brought_further(engine, serves_from=LATER)
    found = migrations.status(engine)
    assert not found.is_served
    assert found.fault is not None
    assert "no longer serves" in found.fault
    assert found.fault.endswith("pip install --upgrade sqr-jobs")
    with pytest.raises(ConfigurationError, match="pip install --upgrade sqr-jobs"):
        migrations.upgrade(engine)


def test_the_tables_of_a_later_version_are_taken_back_and_recorded_by_that_version_alone(
    engine: Engine,
) -> None:
    """This one does not know what the later one did."""
    _brought_further(engine, serves_from=HEAD)
    before = objects(engine)
    for attempt in (lambda: migrations.downgrade(engine, "base"), lambda: migrations.stamp(engine)):
        with pytest.raises(ConfigurationError, match="Only that version can"):
            attempt()
    assert objects(engine) == before
    assert migrations.current(engine) == LATER


def test_tables_of_an_earlier_version_ask_for_the_upgrade(engine: Engine) -> None:
    """The commonest fault after a deployment, and nothing at all is the second."""
    nothing = migrations.status(engine)
    assert not nothing.is_newer
    assert nothing.fault == f"the database is at nothing; {HEAD} is needed. Run: sqr-jobs db upgrade"
    earlier = migrations.Standing(
        revision="sqr_jobs_0000",
        serves_from="sqr_jobs_0000",
        recorded="sqr_jobs_0000",
        needed=HEAD,
        known={"sqr_jobs_0000", HEAD},
    )
    assert earlier.fault == f"the database is at sqr_jobs_0000; {HEAD} is needed. Run: sqr-jobs db upgrade"
    of_the_host = replace(earlier, recorded=None)
    assert str(of_the_host.fault).endswith(f"{HEAD} is needed. Run: alembic upgrade heads")


def test_tables_that_vanished_can_be_made_again(engine: Engine) -> None:
    """Someone dropped them by hand; the record of the revision says otherwise, and one command mends it."""
    migrations.upgrade(engine)
    migrations.metadata.drop_all(engine)
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(text("DROP FUNCTION sqr_jobs_terminal_stays()"))
    found = migrations.status(engine)
    assert found.is_disputed
    assert str(found.fault).endswith("Run: sqr-jobs db upgrade")
    with pytest.raises(ConfigurationError, match="sqr-jobs db stamp"):
        migrations.upgrade(engine)
    migrations.stamp(engine)
    migrations.upgrade(engine)
    assert JobStore(Database(engine)).create().state is JobState.QUEUED


def test_a_record_that_this_version_can_make_nothing_of_is_mended_too(engine: Engine) -> None:
    """A later version's `sqr-jobs db` recorded its revision, and another Alembic took the tables back."""
    migrations.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {migrations.VERSION_TABLE} SET version_num = '{LATER}'"))
    assert migrations.status(engine).is_disputed
    migrations.stamp(engine)
    assert not migrations.status(engine).is_kept_elsewhere


def test_an_alembic_that_is_at_work_in_this_process_is_not_disturbed(engine: Engine) -> None:
    """Alembic has one environment per process: a second one would end the host's run with a KeyError."""
    config = Config()
    config.set_main_option("script_location", "sqr_jobs:migrations")
    with EnvironmentContext(config, ScriptDirectory.from_config(config)) as host:
        for attempt in (
            lambda: migrations.upgrade(engine),
            lambda: migrations.downgrade(engine, "base"),
            lambda: migrations.stamp(engine),
        ):
            with pytest.raises(ConfigurationError, match="version_locations"):
                attempt()
        assert migrations.current(engine) is None
        assert host.config is config
    migrations.upgrade(engine)
    assert migrations.current(engine) == HEAD


@pytest.mark.parametrize(
    ("name", "kind", "is_included"),
    [
        ("orders", "table", True),
        ("sqr_jobs_job", "table", False),
        ("sqr_jobs_alembic_version", "table", False),
        ("sqr_jobs_job_id", "column", True),
        (None, "schema", True),
    ],
)
def test_a_hosts_autogenerate_is_shown_the_hosts_tables_alone(
    name: str | None, kind: str, is_included: bool
) -> None:
    """It would drop ours, and every job."""
    assert migrations.include_name(name, kind, {}) is is_included
