"""Neighbouring minor versions share a database: this one works on tables that a later one has expanded.

The promise and its cost: docs/decisions/0011-expand-then-contract.md.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event, text

from sqr_jobs import migrations
from sqr_jobs.adapters import sql
from sqr_jobs.adapters.sql import Database, SqlJobOperations, SqlJobRetention, engine_for
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import IdempotencyKey, Reservation
from sqr_jobs.domain.states import JobState
from sqr_jobs.domain.upkeep import JobSearch
from tests.contracts.job_store import JobStore

KEY = IdempotencyKey(key_hash="a" * 64, fingerprint="b" * 64)
_PARTS = [getattr(sql, name) for name in sql.__all__ if name.startswith("SqlJob")]
_BY_POSITION = re.compile(r"\binsert into \w+ (?!\()|(?:\bselect|\breturning|,) (?:\w+\.)?\*", re.IGNORECASE)


@pytest.fixture
def expanded(database_url: str) -> Iterator[Database]:
    """Give tables with all that a minor version may add: columns, an index, a table that points to ours."""
    made = Database(engine_for(database_url, timeout_s=10), timeout_s=10)
    migrations.upgrade(made.engine)
    with made.begin() as connection:
        for table in migrations.metadata.tables:
            connection.execute(text(f"ALTER TABLE {table} ADD COLUMN later_note TEXT"))
            connection.execute(text(f"ALTER TABLE {table} ADD COLUMN later_rank INTEGER DEFAULT 7 NOT NULL"))
            connection.execute(text(f"CREATE INDEX {table}_later ON {table} (later_rank)"))
        collated = "COLLATE utf8mb4_nopad_bin" if made.engine.dialect.name == "mysql" else ""
        connection.execute(
            text(
                f"CREATE TABLE sqr_jobs_later (job_id VARCHAR(36) {collated} PRIMARY KEY"
                " REFERENCES sqr_jobs_job (job_id) ON DELETE CASCADE)"
            )
        )
    yield made
    made.close()


def test_every_operation_of_the_store_works_on_expanded_tables(
    expanded: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new operation belongs into the day that this test goes through."""
    used: set[str] = set()
    operations = {f"{part.__name__}.{name}" for part in _PARTS for name in _public(part)}
    for part in _PARTS:
        for name in _public(part):
            monkeypatch.setattr(part, name, _noting(used, f"{part.__name__}.{name}", getattr(part, name)))
    _a_day(JobStore(expanded))
    assert used == operations


def test_no_statement_relies_on_how_many_columns_there_are(database: Database) -> None:
    """`SELECT *` and an INSERT without names break on the day another version adds a column."""
    said: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def _note(*arguments: Any) -> None:
        said.append(arguments[2])

    _a_day(JobStore(database))
    event.remove(database.engine, "before_cursor_execute", _note)
    assert any("INSERT INTO sqr_jobs_job " in statement for statement in said)
    assert [statement for statement in said if _BY_POSITION.search(" ".join(statement.split()))] == []


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM sqr_jobs_job",
        "SELECT sqr_jobs_job.* FROM sqr_jobs_job",
        "SELECT job_id, sqr_jobs_audit.* FROM sqr_jobs_job",
        "INSERT INTO sqr_jobs_identity VALUES ('x')",
        "INSERT INTO sqr_jobs_identity (identity) VALUES ('x') RETURNING *",
    ],
)
def test_a_statement_that_relies_on_it_is_noticed(statement: str) -> None:
    """The guard itself must be able to fail."""
    assert _BY_POSITION.search(statement)


def _a_day(store: JobStore) -> None:
    """Go through every operation: jobs that end well, fail, are lost, go back and run out of time."""
    reservation = store.intake.reserve("acme", KEY)
    assert isinstance(reservation, Reservation)
    store.intake.release(reservation)
    again = store.intake.reserve("acme", KEY)
    assert isinstance(again, Reservation)
    done = store.create("U1", reservation=again)
    assert (store.upkeep.count_due(), list(store.upkeep.due(5))) == (1, [done.job_id])
    claim = store.claim(done.job_id)
    assert store.renew(claim)
    store.finish(claim)
    assert store.read(done.job_id).state is JobState.COMPLETE
    assert store.story(done.job_id) == ["create", "claim", "complete"]

    failed = store.claimed("U2")
    assert store.execution.fail(failed, JobErrorCode.REPORT_DATA_INVALID, "a cause") is JobState.FAILED
    assert store.execution.give_back(store.claimed("U3"), delay_ms=0)
    lost = store.claim()
    store.move_clock_to_expiry(lost)
    assert store.upkeep.reap_leases(5) == 1
    store.move_clock_to_deadline(lost.job.job_id)
    assert store.upkeep.reap_deadlines(5) == 1
    late = store.create("U4")
    store.move_clock_to_deadline(late.job_id)
    assert store.intake.settle(store.read(late.job_id)).state is JobState.FAILED
    assert store.intake.cancel(store.create("U5")).state is JobState.CANCELLED
    store.move_clock(26 * 3600)
    assert store.upkeep.forget_keys(5) == 1
    assert store.upkeep.database_identity()
    _the_day_after(store, done.job_id)


def _the_day_after(store: JobStore, job_id: str) -> None:
    """Look at what there was, erase a person, collect what was stored, and forget it all."""
    operations = SqlJobOperations(store.database)
    retention = SqlJobRetention(store.database, job_lifetime_ms=1000)
    jobs = [job.job_id for job in operations.search(JobSearch(org_id="acme"))]
    assert len(jobs) == 5
    last = store.create("U6")
    assert operations.cancel(last).state is JobState.CANCELLED
    assert operations.get(last.job_id) is not None
    assert len(operations.document_keys([job_id])) == 1
    assert operations.erase([job_id]).jobs == 1
    store.move_clock(3_601)
    collectable = retention.collectable(10)
    assert {item.job_id for item in collectable} == {*jobs, last.job_id}
    retention.refused(collectable[0])
    assert all(retention.collected(item) for item in collectable[1:])
    store.move_clock(3_601)
    assert all(retention.collected(item) for item in retention.collectable(10))
    assert retention.purge(10) == 6


def _public(part: type) -> list[str]:
    return [name for name, value in vars(part).items() if callable(value) and not name.startswith("_")]


def _noting(used: set[str], name: str, operation: Callable[..., Any]) -> Callable[..., Any]:
    def noted(*arguments: Any, **keywords: Any) -> Any:
        used.add(name)
        return operation(*arguments, **keywords)

    return noted
