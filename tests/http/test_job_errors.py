"""Each `errorCode` of a FAILED job, and how often the job is tried before."""

from typing import Any

import pytest

from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.errors import AttemptFailed, DocumentsUnavailable
from sqr_jobs.wiring import system_of
from tests.http.clients import Client

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


@pytest.mark.parametrize("code", ["TEMPLATE_NOT_FOUND", "RENDER_START_FAILED"])
def test_a_job_that_no_worker_is_able_to_make_waits_until_its_deadline(client: Client, code: str) -> None:
    """A deployment may be under way, so a worker that is able to may still come."""
    client.system.producer = lambda: _Failing(code)  # type: ignore[method-assign]
    job_id = client.create()
    for _ in range(20):
        assert client.work(job_id)
        assert client.status(job_id).json()["status"] == "IN_PROGRESS"
        client.move_clock(5_000)
    client.move_clock(180_000)
    assert client.status(job_id).json()["status"] == "IN_PROGRESS"
    client.move_clock(21_000)
    assert client.status(job_id).json()["errorCode"] == code


def test_a_template_that_another_worker_knows_is_made_by_that_one(client: Client) -> None:
    """In the minutes of a deployment, workers of the old version hand the new one's jobs on."""
    job_id = client.create()
    client.system.producer = lambda: _Failing("TEMPLATE_NOT_FOUND")  # type: ignore[method-assign]
    assert client.work(job_id)
    del client.system.producer  # the next worker is another one
    assert not client.work(job_id)
    client.move_clock(5_000)
    assert client.work(job_id)
    assert client.status(job_id).json()["status"] == "COMPLETE"


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
