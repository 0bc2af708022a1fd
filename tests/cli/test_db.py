"""`sqr-jobs db`: the tables come, change and go."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from sqr_jobs import migrations
from sqr_jobs.cli import main
from tests.cli.commands import environment, run
from tests.host.reports import FACTORY

_HEAD = migrations.head()


def _tables(url: str) -> set[str]:
    engine = create_engine(url)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_the_tables_come_and_go(database_url: str, tmp_path: Path) -> None:
    """Up, up again, and down: on every database, and each command says where it stands."""
    steps = [
        (["upgrade"], _HEAD),
        (["upgrade", "head"], _HEAD),
        (["downgrade", "base"], "nothing"),
        (["current"], "nothing"),
    ]
    for arguments, revision in steps:
        answer = run("db", *arguments, home=tmp_path, cwd=tmp_path, database_url=database_url)
        assert (answer.returncode, answer.stderr) == (0, "")
        assert answer.stdout == f"database at {revision}, needed {_HEAD}\n"
        assert ("sqr_jobs_job" in _tables(database_url)) == (revision == _HEAD)


def test_the_factory_s_own_database_is_changed_where_one_is_named(tmp_path: Path) -> None:
    """A host that passes its engine has no URL in a variable."""
    answer = run("db", "upgrade", "--factory", FACTORY, home=tmp_path, data_dir=tmp_path / "100% mine")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "sqr_jobs_job" in _tables(f"sqlite:///{tmp_path}/100% mine/jobs.db")


def test_only_our_own_tables_are_touched(postgres_url: str, tmp_path: Path) -> None:
    """The database may be the host's, with an Alembic of its own."""
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE people (id INTEGER)")
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('theirs')")
    for arguments in (["upgrade"], ["downgrade", "base"]):
        assert run("db", *arguments, home=tmp_path, database_url=postgres_url).returncode == 0
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT * FROM alembic_version").scalar() == "theirs"
    engine.dispose()
    assert _tables(postgres_url) - {migrations.VERSION_TABLE} == {"people", "alembic_version"}


@pytest.mark.parametrize("arguments", [["upgrade", "nonsense"], ["downgrade", "-9"]])
def test_a_revision_that_does_not_exist_is_told_in_a_sentence(arguments: list[str], tmp_path: Path) -> None:
    """A typing error must not look like a broken database."""
    answer = run("db", *arguments, home=tmp_path, database_url=f"sqlite:///{tmp_path}/jobs.db")
    assert answer.returncode in (1, 2)
    assert "Traceback" not in answer.stderr
    assert answer.stderr.startswith("sqr-jobs: ")
    assert arguments[1] in answer.stderr


@pytest.mark.parametrize(
    ("action", "url"),
    [
        (["upgrade"], "postgresql+psycopg://me:canary-password@127.0.0.1:9/jobs"),
        (["current"], "postgresql+psycopg://me:canary-password@127.0.0.1:9/jobs"),
        (["downgrade", "base"], "sqlite:////nowhere/at/all/jobs.db"),
        (["current"], f"postgresql+psycopg://me:canary-password@{'a' * 64}.example/jobs"),
    ],
)
def test_a_database_out_of_reach_is_told_in_a_sentence(
    action: list[str],
    url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A deployment's first log line says what is unreachable, and no password."""
    monkeypatch.setattr(os, "environ", environment(tmp_path, database_url=url))
    assert main(["db", *action]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert re.match(
        r"sqr-jobs: (127.0.0.1:9/jobs: .*connection refused|/nowhere/at/all/|SQR_JOBS_DA)", told.err
    )
    assert "sqr-jobs check" not in told.err
    assert "canary-password" not in told.err


def test_a_command_closes_its_connection(postgres_url: str, tmp_path: Path) -> None:
    """What is left open shows where warnings are switched on, as in a host's own tests."""
    answer = run("db", "upgrade", home=tmp_path, database_url=postgres_url, PYTHONWARNINGS="default")
    assert (answer.returncode, answer.stderr) == (0, "")


def test_two_deployments_at_once_make_the_tables_once(database_url: str, tmp_path: Path) -> None:
    """Each replica's start command may be `sqr-jobs db upgrade && ...`."""
    with ThreadPoolExecutor() as pool:
        running = [
            pool.submit(run, "db", "upgrade", home=tmp_path, cwd=tmp_path, database_url=database_url)
            for _ in range(2)
        ]
    assert [(ended.result().returncode, ended.result().stderr) for ended in running] == [(0, ""), (0, "")]
    assert "sqr_jobs_job" in _tables(database_url)


def test_a_hosts_alembic_takes_the_tables_over_and_gives_them_back(tmp_path: Path) -> None:
    """`db stamp base` and `db stamp`; in between, `db upgrade` says which command is the right one."""
    url = f"sqlite:///{tmp_path}/jobs.db"
    ours, theirs = (
        f"database at {_HEAD}, needed {_HEAD}{end}\n" for end in ("", "; kept by your own Alembic")
    )
    refusal = (
        f"sqr-jobs: The tables of sqr-jobs are at {_HEAD}; kept by your own Alembic. Run: alembic upgrade"
    )
    for arguments, status, printed in (
        (["upgrade"], 0, ours),
        (["stamp", "base"], 0, theirs),
        (["current"], 0, theirs),
        (["upgrade"], 1, refusal),
        (["stamp"], 0, ours),
        (["upgrade"], 0, ours),
    ):
        answer = run("db", *arguments, home=tmp_path, database_url=url)
        assert answer.returncode == status
        assert (answer.stdout + answer.stderr).startswith(printed)


@pytest.mark.parametrize(
    ("revision", "serves_from", "line"),
    [
        (_HEAD, _HEAD, f"ok    migrations    at {_HEAD}"),
        ("sqr_jobs_9999", _HEAD, "note  migrations    at sqr_jobs_9999; newer than this version of sqr-jobs"),
        (
            "sqr_jobs_9999",
            "sqr_jobs_9999",
            "FAULT migrations    the database is at sqr_jobs_9999; newer than",
        ),
    ],
    ids=["the needed one", "a later one that serves", "a later one that does not"],
)
def test_the_check_tells_a_later_version_from_a_fault(
    revision: str, serves_from: str, line: str, tmp_path: Path
) -> None:
    """In a rolling deployment the older version's check must not ask for what is done already."""
    answer = run("db", "upgrade", "--factory", FACTORY, home=tmp_path, data_dir=tmp_path)
    assert answer.returncode == 0
    engine = create_engine(f"sqlite:///{tmp_path}/jobs.db")
    with engine.begin() as connection:
        values = {"revision": revision, "serves_from": serves_from}
        connection.execute(
            text("UPDATE sqr_jobs_identity SET revision = :revision, serves_from = :serves_from"), values
        )
        connection.execute(text(f"UPDATE {migrations.VERSION_TABLE} SET version_num = :revision"), values)
    engine.dispose()
    told = run("check", "--factory", FACTORY, home=tmp_path, data_dir=tmp_path).stdout.splitlines()
    found = [said for said in told if "migrations" in said]
    assert len(found) == 1
    assert found[0].startswith(line)
    assert "db upgrade" not in found[0]
