"""`sqr-jobs maintain`: relay and reaper without a worker, as cron runs them."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sqr_jobs import Caller, ReportJobs, migrations
from sqr_jobs.wiring import system_of
from tests.cli.commands import run, signal_another_thread, start
from tests.host import reports as host
from tests.servers.ports import wait_until


@pytest.fixture
def service(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., tuple[ReportJobs, dict[str, Any]]]]:
    """Give a service on an empty database, and the settings with which a command finds the same one."""
    made: list[ReportJobs] = []

    def build(**settings: Any) -> tuple[ReportJobs, dict[str, Any]]:
        url = f"sqlite:///{tmp_path}/jobs.db"
        given = {"factory": host.FACTORY, "database_url": url, "data_dir": tmp_path} | settings
        for name, value in given.items():
            monkeypatch.setenv(f"SQR_JOBS_{name.upper()}", str(value))
        made.append(host.report_jobs())
        migrations.upgrade(system_of(made[-1]).database.engine)
        return made[-1], given

    yield build
    for reports in made:
        system_of(reports).database.close()


def test_once_ends_what_is_overdue(service: Any, database_url: str, tmp_path: Path) -> None:
    """A database left alone by all workers is put right by one run, and the next finds nothing to do."""
    reports, settings = service(deadline_s=0.001, database_url=database_url)
    caller = Caller(org_id="acme")
    overdue = reports.create(caller, user_id="U-1")
    answer = run("maintain", "--once", home=tmp_path, **settings)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == "reaped 1, rang for 0, deleted 0\n"
    ended = reports.status(caller, overdue.job_id)
    assert (ended.status, ended.error_code) == ("FAILED", "DEADLINE_EXCEEDED")
    assert run("maintain", "--once", home=tmp_path, **settings).stdout == "reaped 0, rang for 0, deleted 0\n"


def test_once_takes_a_job_from_a_dead_worker(service: Any, tmp_path: Path) -> None:
    """In the embedded form too, where the web process finds the job itself: there is nothing to ring."""
    reports, settings = service(lease_s=0.001)
    caller = Caller(org_id="acme")
    job = reports.create(caller, user_id="U-1")
    assert system_of(reports).service().processor._jobs.claim(job.job_id)
    answer = run("maintain", "--once", home=tmp_path, **settings)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == "reaped 1, rang for 0, deleted 0\n"
    assert reports.status(caller, job.job_id).state == "RETRY_WAIT"


def test_once_rings_for_jobs_whose_message_was_lost(
    service: Any, redis_server: Any, redis_url: str, tmp_path: Path
) -> None:
    """The broker was wiped: one run and the doorbell rings again, once."""
    reports, settings = service(broker_url=redis_url)
    reports.create(Caller(org_id="acme"), user_id="U-1")
    redis_server.flush()
    for rung in (1, 0):
        answer = run("maintain", "--once", home=tmp_path, **settings)
        assert (answer.returncode, answer.stderr) == (0, "")
        assert answer.stdout == f"reaped 0, rang for {rung}, deleted 0\n"


def test_jobs_that_wait_for_an_embedded_worker_are_no_fault(service: Any, tmp_path: Path) -> None:
    """There is no doorbell between processes: the web process finds them itself."""
    reports, settings = service()
    job = reports.create(Caller(org_id="acme"), user_id="U-1")
    answer = run("maintain", "--once", home=tmp_path, **settings)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == "reaped 0, rang for 0, deleted 0\n"
    assert reports.status(Caller(org_id="acme"), job.job_id).status == "PENDING"


def test_without_tables_it_says_what_to_run(tmp_path: Path) -> None:
    """The commonest mistake of a first deployment."""
    url = f"sqlite:///{tmp_path}/jobs.db"
    answer = run("maintain", "--once", home=tmp_path, factory=host.FACTORY, database_url=url)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "sqr-jobs db upgrade" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_it_runs_until_it_is_told_to_stop(service: Any, tmp_path: Path) -> None:
    """Overdue jobs end without a worker; and SIGTERM is no failure, whichever thread takes it."""
    reports, settings = service(deadline_s=0.5, reaper_interval_s=0.1)
    process = start("maintain", home=tmp_path, **settings)
    try:
        caller = Caller(org_id="acme")
        job = reports.create(caller, user_id="U-1")
        history = system_of(reports).history.history
        wait_until(lambda: len(history(job.job_id)) == 2, seconds=30, what="the reaper")
        assert history(job.job_id)[-1].error_code == "DEADLINE_EXCEEDED"
        signal_another_thread(process.pid, signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.wait()
