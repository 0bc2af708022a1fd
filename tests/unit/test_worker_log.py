"""What a worker tells the log: what it works on, what became of each attempt, and that it has stopped."""

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sqr_jobs import Settings, build_report_jobs
from sqr_jobs.adapters.worker_lifecycle import WorkerLifecycle
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.errors import (
    AttemptAborted,
    AttemptFailed,
    ConfigurationError,
    DatabaseUnavailable,
    DocumentsUnavailable,
    LeaseLost,
)
from sqr_jobs.leases import LeaseKeeper
from sqr_jobs.processing import Processor
from sqr_jobs.wiring import System, system_of
from tests.host.people import People
from tests.host.reports import Report
from tests.unit.fakes import Clock, FakeDocuments, FakeExecution, FakeProducer, claim_of

Attempt = Callable[..., list[logging.LogRecord]]


@pytest.fixture
def attempt(caplog: pytest.LogCaptureFixture) -> Attempt:
    """Make one attempt in which something goes wrong, and return what was logged."""
    caplog.set_level(logging.DEBUG, "sqr_jobs")

    def make(
        *,
        producer: BaseException | None = None,
        documents: BaseException | None = None,
        owns_the_job: bool = True,
        **raises: list[Exception],
    ) -> list[logging.LogRecord]:
        clock, jobs = Clock(), FakeExecution(claim_of(attempt=3))
        jobs.raises, jobs.owns_the_job = raises, owns_the_job
        making, storing = FakeProducer(), FakeDocuments()
        making.raises, storing.raises = producer, documents
        keeper = LeaseKeeper(jobs, heartbeat_s=3600, fence_s=25, limit_s=60, now=clock)
        processor = Processor(jobs=jobs, producer=making, documents=storing, leases=keeper, now=clock)
        assert processor.process() is True
        keeper.stop()
        return caplog.records

    return make


_CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "raised": (
        {
            "producer": AttemptFailed(
                JobErrorCode.RENDER_FAILED, "CANARY", stack="\nValueError, raised at\n  f:1"
            )
        },
        "WARNING",
        "attempt failed: RENDER_FAILED\nValueError, raised at\n  f:1",
    ),
    "a template is missing": (
        {
            "producer": AttemptFailed(
                JobErrorCode.TEMPLATE_NOT_FOUND, "CANARY", reason="no template a v2 is registered"
            )
        },
        "WARNING",
        "attempt failed: TEMPLATE_NOT_FOUND (no template a v2 is registered)",
    ),
    "the storage is down": (
        {"documents": DocumentsUnavailable("The bucket refused (AccessDenied).")},
        "WARNING",
        "attempt failed: STORAGE_UNAVAILABLE (The bucket refused (AccessDenied))",
    ),
    "fenced off": ({"owns_the_job": False}, "WARNING", "fenced off: another attempt owns the job"),
    "the lease ran out": (
        {"producer": LeaseLost("The lease passed.")},
        "WARNING",
        "left to whoever owns it now: The lease passed.",
    ),
    "the machine is broken": (
        {"producer": ConfigurationError("no render child can be started here (EMFILE).")},
        "ERROR",
        "this worker can make no document: no render child can be started here (EMFILE).",
    ),
    "could not be given back": (
        {"producer": AttemptAborted("over"), "give_back": [DatabaseUnavailable("away")]},
        "WARNING",
        "left to its lease, it could not be given back: away",
    ),
}


@pytest.mark.parametrize("name", _CASES)
def test_what_became_of_an_attempt_is_told_once_with_whose_it_was(attempt: Attempt, name: str) -> None:
    """The line says why, in words of ours; the fields say which job, org and attempt."""
    wrong, level, words = _CASES[name]
    (record,) = attempt(**wrong)
    job = claim_of().job
    assert (record.levelname, record.getMessage()) == (level, f"job {job.job_id}: {words}")
    fields = {name: getattr(record, name) for name in ("job", "org", "attempt", "state")}
    assert fields == {"job": job.job_id, "org": "acme", "attempt": 3, "state": "RUNNING"}
    assert "CANARY" not in str(vars(record))


def test_a_fault_of_ours_is_told_by_its_place(attempt: Attempt) -> None:
    """What it says goes to the audit row with the other causes."""
    broke, failed = attempt(producer=ZeroDivisionError("CANARY"))
    assert broke.levelname == "ERROR"
    place = r"\n(  .*\n)*  \S+fakes\.py:\d+ in produce"
    assert re.search(rf": an attempt broke\nZeroDivisionError, raised at{place}$", broke.getMessage())
    assert failed.getMessage().endswith(": attempt failed: RENDER_CRASHED")
    assert "CANARY" not in f"{vars(broke)} {vars(failed)}"


def _system(tmp_path: Path, **settings: Any) -> System:
    return system_of(
        build_report_jobs(Settings(data_dir=tmp_path, **settings), users=People(), templates=[Report()])
    )


def test_a_worker_tells_in_a_line_what_it_works_on_and_when_it_has_stopped(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """The first thing to look at when two workers behave differently."""
    caplog.set_level(logging.INFO, "sqr_jobs")
    system = _system(tmp_path, render="inline", embedded_worker=True, worker_threads=3)
    system.worker.start()
    system.worker.stop()
    system.database.close()
    told = [record.getMessage() for record in caplog.records if record.name == "sqr_jobs.worker"]
    assert len(told) == 3
    assert re.fullmatch(
        r"the worker runs: sqr-jobs [\d.]+, database sqlite, broker none but this process, documents in a "
        r"folder, templates report v1, per attempt no limit holds with SQR_JOBS_RENDER=inline; 3 threads",
        told[0],
    )
    assert told[1].startswith("draining: ")
    assert told[2] == "the worker has stopped"


def test_a_worker_of_its_own_tells_the_threads_that_it_was_given(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """`dramatiq --threads` decides, whatever the setting says; no address and no password is told."""
    caplog.set_level(logging.INFO, "sqr_jobs")
    system = _system(
        tmp_path,
        factory="tests.host.reports:report_jobs",
        broker_url="redis://:CANARY@canary.example:6379/0",
        database_url="postgresql+psycopg://canary:CANARY@canary.example/canary",
        s3_bucket="canary-bucket",
    )
    lifecycle = WorkerLifecycle(system.service, threads=2)
    lifecycle._service = system.service()

    class Worker:
        worker_threads = 7

    broker: Any = None
    worker: Any = Worker()
    lifecycle.after_worker_boot(broker, worker)
    (record,) = caplog.records
    assert (
        "database postgresql, broker redis, documents in a bucket, templates report v1" in record.getMessage()
    )
    assert re.search(r"per attempt 60 s, .* of memory.*, 100 MB of output; 7 threads$", record.getMessage())
    assert "canary" not in record.getMessage().lower()


def test_a_worker_that_can_t_start_says_where(caplog: pytest.LogCaptureFixture) -> None:
    """Dramatiq would swallow it; what the host's code said stays out of the log."""

    def broken() -> Any:
        raise LookupError("CANARY")

    broker: Any = None
    with pytest.raises(SystemExit):
        WorkerLifecycle(broken, threads=1).after_process_boot(broker)
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert record.getMessage().startswith("the worker can't start\nLookupError, raised at\n")
    assert "CANARY" not in caplog.text
