"""A revision that takes something away says so: docs/decisions/0011-expand-then-contract.md."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text

from sqr_jobs import migrations
from sqr_jobs.adapters.sql import engine_for


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Give an engine on an empty database of each kind."""
    made = engine_for(database_url, timeout_s=10)
    yield made
    made.dispose()


def _losses(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Name what a version that knew the tables before can no longer do with them after."""
    lost = set()
    for table, old in before.items():
        if table not in after:
            lost.add(f"{table} is gone")
            continue
        new = after[table]
        for name, column in old["columns"].items():
            if name not in new["columns"]:
                lost.add(f"{table}.{name} is gone")
            elif new["columns"][name] != column:
                lost.add(f"{table}.{name} is another")
        for name in new["columns"].keys() - old["columns"].keys():
            if new["columns"][name]["must_be_given"]:
                lost.add(f"{table}.{name} must be given")
        lost |= {f"{table} must be unique by {names}" for names in new["uniques"] - old["uniques"]}
    return lost


def _tables(engine: Engine) -> dict[str, Any]:
    found = inspect(engine)
    return {
        table: {
            "columns": {
                column["name"]: {
                    "type": str(column["type"]),
                    "nullable": column["nullable"],
                    "must_be_given": not (
                        column["nullable"] or column.get("default") or column.get("computed")
                    ),
                }
                for column in found.get_columns(table)
            },
            "uniques": {
                tuple(unique["column_names"])
                for unique in (*found.get_unique_constraints(table), *found.get_indexes(table))
                if unique.get("unique", True)
            },
        }
        for table in found.get_table_names()
        if table.startswith("sqr_jobs_") and table != migrations.VERSION_TABLE
    }


def test_a_revision_that_contracts_serves_fewer_versions(engine: Engine) -> None:
    """The older version's `sqr-jobs check` believes what the revision wrote."""
    config = Config()
    config.set_main_option("script_location", "sqr_jobs:migrations")
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]
    before, served = {}, None
    for revision in revisions:
        migrations.upgrade(engine, revision)
        after, serves_from = _tables(engine), migrations.status(engine).serves_from
        assert serves_from in revisions[: revisions.index(revision) + 1]
        assert not _losses(before, after) or serves_from != served, (revision, _losses(before, after))
        before, served = after, serves_from
    assert "sqr_jobs_job" in before


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ("ALTER TABLE sqr_jobs_t ADD COLUMN b TEXT", set()),
        ("ALTER TABLE sqr_jobs_t ADD COLUMN b TEXT NOT NULL DEFAULT ''", set()),
        ("CREATE TABLE sqr_jobs_u (a INTEGER NOT NULL)", set()),
        ("CREATE INDEX i ON sqr_jobs_t (a)", set()),
        ("CREATE UNIQUE INDEX i ON sqr_jobs_t (a)", {"sqr_jobs_t must be unique by ('a',)"}),
        ("ALTER TABLE sqr_jobs_t DROP COLUMN a", {"sqr_jobs_t.a is gone"}),
        (
            "ALTER TABLE sqr_jobs_t RENAME COLUMN a TO b",
            {"sqr_jobs_t.a is gone", "sqr_jobs_t.b must be given"},
        ),
        ("DROP TABLE sqr_jobs_t", {"sqr_jobs_t is gone"}),
        (
            "DROP TABLE sqr_jobs_t; CREATE TABLE sqr_jobs_t (id INT, a TEXT NOT NULL)",
            {"sqr_jobs_t.a is another"},
        ),
        (
            "DROP TABLE sqr_jobs_t; CREATE TABLE sqr_jobs_t (id INT, a INTEGER NOT NULL, b INT NOT NULL)",
            {"sqr_jobs_t.b must be given"},
        ),
    ],
)
def test_what_counts_as_taking_away(change: str, lost: set[str], tmp_path: Path) -> None:
    """Additions that an older version need not know of are none."""
    engine = create_engine(f"sqlite:///{tmp_path}/app.db")

    def carry_out(statements: str) -> dict[str, Any]:
        with engine.begin() as connection:
            for statement in statements.split("; "):
                connection.execute(text(statement))
        return _tables(engine)

    before = carry_out("CREATE TABLE sqr_jobs_t (id INT, a INTEGER NOT NULL)")
    assert _losses(before, carry_out(change)) == lost
    engine.dispose()
