"""Each `errorCode` of a FAILED job, and how often the job is tried before."""

from typing import Any

import pytest

from sqr_jobs import ReportJobs, build_report_jobs
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.errors import AttemptFailed, DocumentsUnavailable
from sqr_jobs.wiring import system_of
from tests.host import reports as host
from tests.http.clients import Client
from tests.http.conftest import Serve

pytestmark = pytest.mark.both_forms

_ATTEMPTS = {
    "REPORT_DATA_UNAVAILABLE": 5,
    "REPORT_DATA_INVALID": 1,
    "RENDER_FAILED": 1,
    "RENDER_TIMEOUT": 2,
    "RENDER_CRASHED": 3,
    "OUT_OF_MEMORY": 2,
    "OUTPUT_TOO_LARGE": 1,
}
"""What the producer tells (contract, "Job error codes"); `tests/faults` shows that real children cause it."""


class _Failing:
    """A producer whose attempts all fail alike."""

    def __init__(self, code: str) -> None:
        self.code = JobErrorCode(code)

    def produce(self, *_: object) -> Any:
        raise AttemptFailed(self.code, "CANARY-CAUSE")

    def warm(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def _end(client: Client, job_id: str) -> dict[str, Any]:
    """Make attempts until the job is terminal; its status never goes back meanwhile."""
    for _ in range(20):
        shown: dict[str, Any] = client.status(job_id).json()
        if shown["status"] in ("COMPLETE", "FAILED"):
            return shown
        assert shown["status"] == ("IN_PROGRESS" if shown["attempts"] else "PENDING")
        assert "errorCode" not in shown
        client.work(job_id)
        client.move_clock(1_000)
        if client.status(job_id).json()["status"] == "IN_PROGRESS":
            client.move_clock(37_000)
    raise AssertionError(f"{job_id} did not end")


@pytest.mark.parametrize("code", _ATTEMPTS)
def test_a_failed_attempt_is_repeated_as_often_as_its_code_allows(client: Client, code: str) -> None:
    """What may pass is tried again, what will not isn't; the code stays what it was."""
    client.system.producer = lambda: _Failing(code)  # type: ignore[method-assign]
    job_id = client.create()
    shown = _end(client, job_id)
    assert (shown["status"], shown["errorCode"], shown["attempts"]) == ("FAILED", code, _ATTEMPTS[code])
    reply = client.url(job_id)
    assert (reply.code, reply.json()["errorCode"]) == ("JOB_FAILED", code)
    assert b"CANARY" not in client.status(job_id).body + reply.body


def test_an_upload_that_fails_is_repeated(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """STORAGE_UNAVAILABLE: a store has outages, and they pass."""

    def fail(*_: object, **__: object) -> None:
        raise DocumentsUnavailable("CANARY")

    monkeypatch.setattr(client.system.documents, "put", fail)
    shown = _end(client, client.create())
    assert (shown["errorCode"], shown["attempts"]) == ("STORAGE_UNAVAILABLE", 5)


def test_a_job_whose_workers_die_ends_after_the_third(client: Client) -> None:
    """WORKER_LOST: a job that takes its workers down must not take all of them."""
    job_id = client.create()
    for attempt in range(1, 4):
        assert client.system.service().processor._jobs.claim(job_id)
        shown = client.status(job_id).json()
        assert (shown["status"], shown["attempts"]) == ("IN_PROGRESS", attempt)
        client.move_clock(31_000)
        assert client.system.maintenance().reap() == 1
    shown = client.status(job_id).json()
    assert (shown["errorCode"], shown["attempts"]) == ("WORKER_LOST", 3)


def test_a_job_whose_render_child_lacks_the_template_is_tried_until_its_deadline(client: Client) -> None:
    """TEMPLATE_NOT_FOUND: a deployment may be under way, so a worker that knows it may still come."""
    client.system.producer = lambda: _Failing("TEMPLATE_NOT_FOUND")  # type: ignore[method-assign]
    job_id = client.create()
    for delay_ms in (5_000, 10_000, 20_000, 40_000, 60_000, 60_000):
        assert client.work(job_id)
        client.move_clock(delay_ms - 2_000)
        assert not client.work(job_id)
        assert client.status(job_id).json()["status"] == "IN_PROGRESS"
        client.move_clock(2_000)
    client.move_clock(105_000)
    assert client.status(job_id).json()["errorCode"] == "TEMPLATE_NOT_FOUND"


def test_a_job_whose_child_never_starts_is_tried_until_its_deadline(client: Client) -> None:
    """RENDER_START_FAILED: another worker may be able to, so it waits 5 s and no longer."""
    client.system.producer = lambda: _Failing("RENDER_START_FAILED")  # type: ignore[method-assign]
    job_id = client.create()
    for _ in range(20):
        assert client.work(job_id)
        assert client.status(job_id).json()["status"] == "IN_PROGRESS"
        client.move_clock(5_000)
    client.move_clock(201_000)
    assert client.status(job_id).json()["errorCode"] == "RENDER_START_FAILED"


class _Newer(host.Report, name="report", version="v2"):
    """What the web process registers, and the workers of the day before do not."""


def _newer() -> ReportJobs:
    return build_report_jobs(users=host.people, templates=[host.Report(), _Newer()])


def test_a_worker_of_the_version_before_leaves_jobs_to_those_that_know_their_template(serve: Serve) -> None:
    """In the minutes of a deployment: no loop of claims, no wait; without the others, the code says why."""
    client = serve(_newer)
    older = system_of(host.report_jobs())
    made, forgotten = client.create("U-1"), client.create("U-2")
    for _ in range(3):
        assert older.service().processor.process(made) is False
        assert older.maintenance(is_worker=True).run_once()[1] == 0
    assert client.work(made)
    shown = client.status(made).json()
    assert (shown["status"], shown["attempts"], shown["templateVersion"]) == ("COMPLETE", 1, "v2")
    client.move_clock(301_000)
    shown = client.status(forgotten).json()
    assert (shown["errorCode"], shown["attempts"]) == ("TEMPLATE_NOT_FOUND", 0)
    older.database.close()


def test_a_job_that_runs_out_of_time_keeps_the_cause_of_its_last_failure(client: Client) -> None:
    """DEADLINE_EXCEEDED tells the client all it can use; the operator finds out what held the job up."""
    job_id = client.create("U-NODATA")
    client.work(job_id)
    client.move_clock(300_000)
    shown = client.status(job_id).json()
    assert shown["errorCode"] == "DEADLINE_EXCEEDED"
    causes = [event.cause for event in system_of(client.reports).history.history(job_id)]
    assert any("no data on U-NODATA" in (cause or "") for cause in causes)
    assert "no data" not in str(shown)
