"""Neighbouring minor versions share a database: this one works on tables that a later one has expanded.

The promise and its cost: docs/decisions/0011-expand-then-contract.md.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, event, inspect, make_url, text

from sqr_jobs import migrations
from sqr_jobs.adapters import sql
from sqr_jobs.adapters.sql import Database, SqlJobOperations, SqlJobRetention, engine_for
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import IdempotencyKey, Reservation
from sqr_jobs.domain.states import JobState
from sqr_jobs.domain.upkeep import JobSearch
from tests.contracts.job_store import SERVICE, JobStore
from tests.databases import host_engine_for

KEY = IdempotencyKey(key_hash="a" * 64, fingerprint="b" * 64)
_PARTS = [getattr(sql, name) for name in sql.__all__ if name.startswith("SqlJob")]
_BY_POSITION = re.compile(r"\binsert into \w+ (?!\()|(?:\bselect|\breturning|,) (?:\w+\.)?\*", re.IGNORECASE)


_OFTEN = 7
"""More often than a driver sees a statement before it has the server prepare it."""
_FIXED = frozenset({"state", "job_id"})
"""A trigger and a generated column hold the one, columns of hosts the other."""


@pytest.fixture(params=["own", "host"])
def live(request: pytest.FixtureRequest, database_url: str) -> Iterator[Database]:
    """Give a database in use, on a pool of our own and on a host's."""
    is_host_engine = request.param == "host"
    engine = host_engine_for(database_url) if is_host_engine else engine_for(database_url, timeout_s=10)
    made = Database(engine, timeout_s=10, is_host_engine=is_host_engine)
    migrations.upgrade(made.engine)
    yield made
    made.engine.dispose()


def _expand(database: Database) -> None:
    """Do all that a minor version may do: columns, an index, a table that points to ours, wider strings."""
    other = engine_for(database.engine.url.render_as_string(hide_password=False), timeout_s=10)
    name = other.dialect.name
    collated = "COLLATE utf8mb4_nopad_bin" if name == "mysql" else ""
    with Database(other, timeout_s=10).begin() as connection:
        for table in migrations.metadata.tables.values():
            connection.execute(text(f"ALTER TABLE {table} ADD COLUMN later_note TEXT"))
            connection.execute(text(f"ALTER TABLE {table} ADD COLUMN later_rank INTEGER DEFAULT 7 NOT NULL"))
            connection.execute(text(f"CREATE INDEX {table}_later ON {table} (later_rank)"))
            if name == "postgresql":  # elsewhere no statement keeps the type of its result
                _widen(connection, table.name)
        connection.execute(
            text(
                f"CREATE TABLE sqr_jobs_later (job_id VARCHAR(36) {collated} PRIMARY KEY"
                " REFERENCES sqr_jobs_job (job_id) ON DELETE CASCADE)"
            )
        )
    other.dispose()


def _widen(connection: Connection, table: str) -> None:
    for column in inspect(connection).get_columns(table):
        length = getattr(column["type"], "length", None)
        if length is not None and column["name"] not in _FIXED:
            collation = column["type"].collation
            collated = f'COLLATE "{collation}"' if collation else ""
            wider = f"ALTER COLUMN {column['name']} TYPE VARCHAR({length + 9}) {collated}"
            connection.execute(text(f"ALTER TABLE {table} {wider}"))


def test_every_operation_works_on_tables_that_are_expanded_under_it(
    live: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new operation belongs into the day that this test goes through.

    PostgreSQL refuses a prepared statement whose result has another type than when it was prepared.
    """
    store = JobStore(live)
    _a_day(store)
    polled = store.create()
    _poll(store, polled.job_id)
    _expand(live)
    _poll(store, polled.job_id)
    store.intake.cancel(polled)
    store.move_clock(40 * 86_400)
    store.collect()
    assert store.retention.purge(10) == 1
    used: set[str] = set()
    operations = {f"{part.__name__}.{name}" for part in _PARTS for name in _public(part)}
    for part in _PARTS:
        for name in _public(part):
            monkeypatch.setattr(part, name, _noting(used, f"{part.__name__}.{name}", getattr(part, name)))
    _a_day(JobStore(live))
    assert used == operations


def _poll(store: JobStore, job_id: str) -> None:
    """Ask what clients, workers and operators ask all day."""
    for _ in range(_OFTEN):
        assert store.read(job_id).user_id == "U1"
        assert store.operations.get(job_id) is not None
        assert len(store.operations.search(JobSearch(org_id="acme"))) == 1
        assert store.story(job_id) == ["create"]
        assert store.upkeep.due(5) == [job_id]
        assert store.upkeep.database_identity()
        assert store.operations.document_keys([job_id]) == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_no_row_changes_its_type_when_a_string_is_widened(database_url: str) -> None:
    """In a transaction nothing can be asked again; so no statement at all may be refused for its plan."""
    live = Database(engine_for(database_url, timeout_s=10), timeout_s=10)
    migrations.upgrade(live.engine)
    asked: dict[str, Any] = {}

    @event.listens_for(live.engine, "after_cursor_execute")
    def _note(_connection: Any, cursor: Any, statement: str, parameters: Any, *_others: Any) -> None:
        if cursor.description is not None and statement.startswith("SELECT"):
            asked[statement] = parameters

    _a_day(JobStore(live))
    assert len(asked) > len(_PARTS)
    url = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as session:
        for expand in (_expand, lambda _live: None):
            for statement, parameters in asked.items():
                session.execute(statement, parameters, prepare=True)
            expand(live)
    live.close()


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
    assert store.intake.answered("other", KEY) is None
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
    assert (store.upkeep.rewind(5), store.upkeep.note_unknown(5)) == (0, 0)
    assert list(store.upkeep.unknown_templates()) == []
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
    operations = SqlJobOperations(store.database, service=SERVICE)
    retention = SqlJobRetention(store.database, service=SERVICE, job_lifetime_ms=1000)
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
