"""`sqr-jobs check` on what runs beside the application, with real servers that are stopped or wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from sqr_jobs import Settings, build_report_jobs, migrations
from sqr_jobs.wiring import System, system_of
from tests.cli.checks import Check
from tests.contracts.sockets import nothing_there
from tests.host.people import People
from tests.host.reports import Report
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.usefixtures("patient_redis")


@contextmanager
def _service(tmp_path: Path, **settings: Any) -> Iterator[System]:
    """Give a service as another process has it."""
    system = system_of(
        build_report_jobs(
            Settings(data_dir=tmp_path / "data", **settings), users=People(), templates=[Report()]
        )
    )
    yield system
    system.database.close()


def _migrate(tmp_path: Path, **settings: Any) -> None:
    with _service(tmp_path, **settings) as system:
        migrations.upgrade(system.database.engine)


@pytest.fixture
def distributed(tmp_path: Path, postgres_url: str, redis_url: str) -> dict[str, str]:
    """Give the settings of a migrated distributed service without a bucket."""
    settings = {"database_url": postgres_url, "broker_url": redis_url}
    _migrate(tmp_path, **settings)
    return settings


def test_servers_in_order_are_told_with_what_they_hold(
    check: Check, distributed: dict[str, str], tmp_path: Path
) -> None:
    """A worker that announced itself, on this database."""
    with _service(tmp_path, **distributed) as worker:
        worker.maintenance(is_worker=True).announce()
        worker.queue.ring("a-job")
    checked = check(**distributed)
    assert checked.faults == []
    assert checked.ok("database").startswith("postgresql 1")
    assert checked.ok("broker") == "answers; 1 messages wait"
    assert checked.ok("workers").startswith("1 consuming, on this database: ")
    assert checked.ok("limiter") == "10 in 600 s, shared; the database holds the same ceiling"


def test_no_worker_is_a_fault(check: Check, distributed: dict[str, str]) -> None:
    """Jobs would wait for ever, and nothing else would tell."""
    checked = check(**distributed)
    assert checked.faults == ["workers"]
    assert checked.fault("workers") == "no worker is consuming. Start one: sqr-jobs worker"


def test_a_worker_on_another_database_is_a_fault(
    check: Check, distributed: dict[str, str], tmp_path: Path
) -> None:
    """It answers every doorbell, finds no job, and all look well."""
    other = {**distributed, "database_url": f"sqlite:///{tmp_path}/other.db"}
    _migrate(tmp_path, **other)
    with _service(tmp_path, **other) as worker:
        worker.maintenance(is_worker=True).announce()
    told = check(**distributed).fault("workers")
    assert (
        "use another database than this process. Give web and workers the same SQR_JOBS_DATABASE_URL." in told
    )


def test_a_service_whose_tables_are_missing_is_told_what_to_run(
    check: Check, postgres_url: str, redis_url: str
) -> None:
    """The commonest mistake of a first deployment."""
    checked = check(database_url=postgres_url, broker_url=redis_url)
    assert "Run: sqr-jobs db upgrade" in checked.fault("migrations")
    assert checked.ok("database")


def test_a_database_that_is_stopped_is_a_fault_and_so_is_what_lives_in_it(
    check: Check, redis_url: str, tmp_path: Path
) -> None:
    """One cause, told where it is; the other lines point to it. The rest is looked at all the same."""
    with PostgresServer() as server:
        settings = {"database_url": server.create_database(), "broker_url": redis_url}
        _migrate(tmp_path, **settings)
        with _service(tmp_path, **settings) as worker:
            worker.maintenance(is_worker=True).announce()
        server.stop()
        checked = check(database_timeout_s=1, **settings)
    assert checked.faults == ["database", "migrations", "workers"]
    assert checked.fault("database").endswith("Is it running, and is SQR_JOBS_DATABASE_URL right?")
    assert checked.fault("migrations").endswith("See the line on the database.")
    assert checked.fault("workers").endswith("See the lines on the broker and the database.")
    assert checked.ok("broker")


@pytest.mark.parametrize("part", ["password", "database", "host"])
def test_a_wrong_database_url_is_a_fault_that_shows_none_of_it(
    check: Check, postgres_url: str, redis_url: str, part: str
) -> None:
    """A password that is printed is a password that is changed."""
    wrong = make_url(postgres_url).set(**{part: "canary.invalid"}).render_as_string(hide_password=False)
    checked = check(database_url=wrong, broker_url=redis_url, database_timeout_s=1)
    assert checked.fault("database").endswith("is SQR_JOBS_DATABASE_URL right?")
    assert "canary" not in str(checked.lines)


def test_one_file_for_several_machines_is_a_note(check: Check, redis_url: str, tmp_path: Path) -> None:
    """With a broker, workers may run anywhere; a SQLite file lies in one place."""
    settings = {"database_url": f"sqlite:///{tmp_path}/jobs.db", "broker_url": redis_url}
    told = check(**settings).note("database")
    assert told.startswith("sqlite 3.")
    assert "must run on this machine" in told
    assert "SQR_JOBS_DATABASE_URL=postgresql+psycopg://" in told


def test_a_broker_that_is_stopped_is_a_fault(check: Check, postgres_url: str, tmp_path: Path) -> None:
    """Jobs are stored and wait; whoever deploys should know before the clients do."""
    with RedisServer() as server:
        settings = {"database_url": postgres_url, "broker_url": server.url}
        _migrate(tmp_path, **settings)
        server.stop()
        checked = check(**settings)
    assert checked.faults == ["broker", "workers", "limiter"]
    assert "is SQR_JOBS_BROKER_URL right? Until it answers, jobs are stored and wait." in checked.fault(
        "broker"
    )
    assert checked.fault("workers").endswith("See the lines on the broker and the database.")


def test_a_limiter_out_of_reach_is_a_fault(check: Check, distributed: dict[str, str]) -> None:
    """The library goes on without it, each process for itself."""
    with nothing_there() as port:
        checked = check(limiter_url=f"redis://:canary@127.0.0.1:{port}/0", **distributed)
    told = checked.fault("limiter")
    assert "its storage does not answer" in told
    assert "is SQR_JOBS_LIMITER_URL (by default the broker's) right?" in told
    assert "canary" not in told


def test_a_limiter_in_memory_beside_a_broker_is_a_note(check: Check, distributed: dict[str, str]) -> None:
    """Several processes let more through than one would, until the database says no."""
    told = check(limiter_url="memory://", **distributed).note("limiter")
    assert "each process counts for itself; the database holds the same ceiling" in told
    assert "Set SQR_JOBS_LIMITER_URL=redis://" in told


def test_nobody_who_makes_reports_is_a_note(check: Check) -> None:
    """Tests want it so; a deployment that set it by mistake learns why jobs wait."""
    told = check(embedded_worker=False).note("workers")
    assert told == "none: SQR_JOBS_EMBEDDED_WORKER is false, so jobs wait until somebody runs them"
