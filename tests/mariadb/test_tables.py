"""What is looked for in a server and in tables that somebody changed, and what a broken migration leaves."""

from typing import Any

import pytest
from sqlalchemy import event, text

from sqr_jobs import migrations
from sqr_jobs.adapters.sql import Database, engine_for
from sqr_jobs.domain.states import JobState
from sqr_jobs.errors import ConfigurationError, DatabaseUnavailable, SqrJobsError
from tests.contracts.job_store import JobStore


def _check(jobs: Database) -> None:
    with jobs.read() as connection:
        jobs.dialect.check(connection)


def test_tables_as_the_revisions_make_them_have_no_fault(jobs: Database) -> None:
    """Whatever the server's defaults are."""
    _check(jobs)


def test_a_table_without_transactions_is_a_fault(jobs: Database) -> None:
    """Change and history would no longer be one."""
    with jobs.begin() as connection:
        connection.execute(text("ALTER TABLE sqr_jobs_audit DROP FOREIGN KEY sqr_jobs_audit_job_id_fkey"))
        connection.execute(text("ALTER TABLE sqr_jobs_audit ENGINE=Aria"))
    with pytest.raises(ConfigurationError, match="Run: ALTER TABLE sqr_jobs_audit ENGINE=InnoDB"):
        _check(jobs)


@pytest.mark.parametrize("collation", ["utf8mb4_general_ci", "utf8mb4_bin"])
def test_a_collation_that_takes_two_ids_for_one_is_a_fault(jobs: Database, collation: str) -> None:
    """The first folds case, and the second blanks at the end: an org could see another's jobs (I10)."""
    with jobs.begin() as connection:
        connection.execute(text(f"ALTER TABLE sqr_jobs_job MODIFY org_id VARCHAR(255) COLLATE {collation}"))
    with pytest.raises(ConfigurationError, match=r"sqr_jobs_job\.org_id have a collation"):
        _check(jobs)


@pytest.mark.parametrize(
    ("is_mariadb", "version", "lowest"), [(True, (10, 5, 29), "10.6"), (False, (8, 0, 16), "8.0.17")]
)
def test_a_server_that_is_too_old_is_a_fault(
    jobs: Database, monkeypatch: pytest.MonkeyPatch, *, is_mariadb: bool, version: Any, lowest: str
) -> None:
    """It lacks SKIP LOCKED, or the collation."""
    with jobs.read() as connection:
        monkeypatch.setattr(connection.dialect, "server_version_info", version)
        monkeypatch.setattr(connection.dialect, "is_mariadb", is_mariadb)
        with pytest.raises(ConfigurationError, match=f"is too old. Use {lowest} or later"):
            jobs.dialect.check(connection)


@pytest.mark.parametrize("step", range(1, 14))
def test_a_migration_that_dies_at_any_statement_can_be_repeated(mariadb_url: str, step: int) -> None:
    """Each statement commits, so what is there already must not stop the next run."""
    engine = engine_for(mariadb_url, timeout_s=10)
    done: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _die(_connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        if statement.lstrip().upper().startswith(("CREATE", "INSERT")):
            done.append(statement)
            if len(done) == step:
                raise ConnectionAbortedError

    with pytest.raises((ConnectionAbortedError, SqrJobsError)):
        migrations.upgrade(engine)
    assert len(done) == step
    event.remove(engine, "before_cursor_execute", _die)
    if migrations.status(engine).is_kept_elsewhere:  # only the record of it is missing
        migrations.stamp(engine)
    migrations.upgrade(engine)
    assert migrations.current(engine) == migrations.head()
    assert JobStore(Database(engine)).create().state is JobState.QUEUED
    migrations.downgrade(engine, "base")
    engine.dispose()


def test_tables_that_hold_anything_are_never_taken_for_remains(jobs: Database) -> None:
    """Somebody deleted the row of the identity: that must not cost the jobs."""
    store = JobStore(jobs)
    store.create()
    with jobs.begin() as connection:
        connection.execute(text("DELETE FROM sqr_jobs_identity"))
        connection.execute(text(f"DELETE FROM {migrations.VERSION_TABLE}"))
    with pytest.raises((ConfigurationError, DatabaseUnavailable), match="here already"):
        migrations.upgrade(jobs.engine)
    assert store.count() == 1


def test_a_downgrade_that_dies_midway_can_be_repeated(jobs: Database) -> None:
    """The row that says where the tables stand goes last."""
    with jobs.begin() as connection:
        connection.execute(text("DROP TABLE sqr_jobs_audit"))
        connection.execute(text("DROP TABLE sqr_jobs_idempotency"))
    migrations.downgrade(jobs.engine, "base")
    assert migrations.current(jobs.engine) is None
