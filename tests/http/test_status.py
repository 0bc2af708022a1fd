"""GET {id}: how a job stands."""

import time
from datetime import datetime
from typing import Any

import pytest

from sqr_jobs.adapters.sql.rows import job_from_row, move, select_jobs
from sqr_jobs.domain.job import Document
from sqr_jobs.domain.states import JobState, Transition
from sqr_jobs.errors import DocumentsUnavailable
from tests.host.tokens import bearer
from tests.http.clients import Client
from tests.http.conftest import Serve
from tests.http.situations import MALFORMED, unknown_id

pytestmark = pytest.mark.both_forms

_ALWAYS = {"jobId", "status", "userId", "attempts", "createdAt", "updatedAt"}
_WITH_COMPLETE = {"templateVersion", "sizeBytes", "sha256", "durationMs", "completedAt"}
_WITH_FAILED = {"errorCode", "completedAt"}


def _take(client: Client, job_id: str) -> Any:
    """Claim a job as a worker that then says nothing more."""
    return client.system.service().processor._jobs.claim(job_id)


def _cancel(client: Client, job_id: str) -> None:
    database = client.system.database
    with database.begin() as connection:
        row = connection.execute(select_jobs(database)).one()
        assert move(connection, job_from_row(row), Transition.CANCEL, values={})


def test_a_job_nobody_has_begun_is_pending(client: Client) -> None:
    """Only what is known is told."""
    shown = client.status(client.create()).json()
    assert set(shown) == _ALWAYS
    assert (shown["status"], shown["attempts"]) == ("PENDING", 0)


def test_a_job_that_a_worker_has_is_in_progress(client: Client) -> None:
    """A client sees that something happens, and how often it was begun."""
    job_id = client.create()
    client.move_clock(1_000)
    assert _take(client, job_id)
    shown = client.status(job_id).json()
    assert set(shown) == _ALWAYS
    assert (shown["status"], shown["attempts"]) == ("IN_PROGRESS", 1)
    assert shown["updatedAt"] > shown["createdAt"]


def test_a_job_between_two_attempts_stays_in_progress(client: Client) -> None:
    """Status never goes backwards: a retry is none of the client's business."""
    job_id = client.create("U-NODATA")
    client.work(job_id)
    shown = client.status(job_id).json()
    assert set(shown) == _ALWAYS
    assert (shown["status"], shown["attempts"]) == ("IN_PROGRESS", 1)


def test_a_complete_job_tells_of_its_document(client: Client) -> None:
    """Enough to check the bytes and to say how long they took."""
    began = time.monotonic()
    job_id = client.complete()
    took_ms = (time.monotonic() - began) * 1000
    shown = client.status(job_id).json()
    assert set(shown) == _ALWAYS | _WITH_COMPLETE
    assert (shown["status"], shown["templateVersion"], shown["attempts"]) == ("COMPLETE", "v1", 1)
    assert 0 < shown["durationMs"] <= took_ms
    assert shown["createdAt"] <= shown["completedAt"] == shown["updatedAt"]


def test_the_duration_is_that_of_the_attempt_that_succeeded(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting and failed attempts do not count: the number says how long a report takes."""
    put = client.system.documents.put
    failing = [DocumentsUnavailable("down")]

    def put_or_fail(*args: Any, **kwargs: Any) -> None:
        if failing:
            raise failing.pop()
        put(*args, **kwargs)

    monkeypatch.setattr(client.system.documents, "put", put_or_fail)
    job_id = client.create()
    client.work(job_id)
    client.move_clock(60_000)
    client.work(job_id)
    shown = client.status(job_id).json()
    assert (shown["status"], shown["attempts"]) == ("COMPLETE", 2)
    assert shown["durationMs"] < 30_000


@pytest.mark.parametrize(
    ("user_id", "code"), [("U-RAISE", "RENDER_FAILED"), ("U-BADDATA", "REPORT_DATA_INVALID")]
)
def test_a_failed_job_says_why_and_when(client: Client, user_id: str, code: str) -> None:
    """The code is stable, for machines; nothing of the inside is told."""
    job_id = client.create(user_id)
    client.work(job_id)
    reply = client.status(job_id)
    shown = reply.json()
    assert set(shown) == _ALWAYS | _WITH_FAILED
    assert (shown["status"], shown["errorCode"]) == ("FAILED", code)
    assert b"Bloggs" not in reply.body
    assert b"lay out" not in reply.body


def test_data_that_stay_out_of_reach_fail_the_job_after_some_attempts(client: Client) -> None:
    """Tried again, but not for ever."""
    job_id = client.create("U-NODATA")
    for _ in range(5):
        assert client.status(job_id).json()["status"] in ("PENDING", "IN_PROGRESS")
        assert client.work(job_id)
        client.move_clock(40_000)
    shown = client.status(job_id).json()
    assert (shown["status"], shown["errorCode"]) == ("FAILED", "REPORT_DATA_UNAVAILABLE")
    assert shown["attempts"] == 5


def test_a_cancelled_job_is_failed_with_that_code(client: Client) -> None:
    """The API knows four statuses; a cancel is told by the code."""
    job_id = client.create()
    _cancel(client, job_id)
    shown = client.status(job_id).json()
    assert set(shown) == _ALWAYS | _WITH_FAILED
    assert (shown["status"], shown["errorCode"]) == ("FAILED", "CANCELLED")


@pytest.mark.parametrize("begun", [False, True])
def test_retry_after_is_3_at_first_then_10(client: Client, *, begun: bool) -> None:
    """Most reports are there in seconds; for the others, polling slows down 30 s after the creation."""
    job_id = client.create()
    if begun:
        _take(client, job_id)
    for moved_ms, told in ((0, "3"), (29_000, "3"), (1_000, "10"), (200_000, "10")):
        client.move_clock(moved_ms)
        assert client.status(job_id).headers["retry-after"] == told


@pytest.mark.parametrize("user_id", ["U-1", "U-RAISE"])
def test_a_terminal_job_has_no_retry_after(client: Client, user_id: str) -> None:
    """There is nothing left to poll for."""
    job_id = client.create(user_id)
    client.work(job_id)
    assert "retry-after" not in client.status(job_id).headers


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.RETRY_WAIT])
def test_a_job_not_complete_in_five_minutes_is_failed_with_no_worker_alive(
    client: Client, state: JobState
) -> None:
    """Client and server agree when to give up: whoever meets an overdue job says so."""
    job_id = client.create("U-NODATA")
    if state is JobState.RUNNING:
        _take(client, job_id)
    elif state is JobState.RETRY_WAIT:
        client.work(job_id)
    client.move_clock(290_000)
    assert client.status(job_id).json()["status"] in ("PENDING", "IN_PROGRESS")
    client.move_clock(10_000)
    reply = client.status(job_id)
    shown = reply.json()
    assert set(shown) == _ALWAYS | _WITH_FAILED
    assert (shown["status"], shown["errorCode"]) == ("FAILED", "DEADLINE_EXCEEDED")
    assert "retry-after" not in reply.headers
    assert client.status(job_id).body == reply.body


def test_the_deadline_is_five_minutes_to_the_millisecond(client: Client) -> None:
    """Neither a status nor a deadline may come early."""
    job_id = client.create()
    created = datetime.fromisoformat(client.status(job_id).json()["createdAt"])
    client.move_clock(400_000)
    ended = datetime.fromisoformat(client.status(job_id).json()["completedAt"])
    assert (ended - created).total_seconds() >= 300


def test_the_deadline_is_configurable(serve: Serve) -> None:
    """A host with large reports gives them longer."""
    client = serve(deadline_s=2)
    job_id = client.create()
    client.move_clock(2_000)
    assert client.status(job_id).json()["errorCode"] == "DEADLINE_EXCEEDED"


def test_a_status_never_goes_backwards(client: Client) -> None:
    """A client that has seen a job begin never sees it wait again, nor one that ended come back to life."""
    job_id, seen = client.create(), []

    def look() -> None:
        seen.append(client.status(job_id).json()["status"])

    def lose_the_worker() -> None:
        _take(client, job_id)
        look()
        client.move_clock(31_000)
        assert client.system.maintenance().reap() == 1

    def reach_the_deadline() -> None:
        client.move_clock(300_000)
        assert client.system.maintenance().reap() == 0

    look()
    for step in (lose_the_worker, lambda: client.work(job_id), reach_the_deadline):
        step()
        look()
    assert seen == ["PENDING", "IN_PROGRESS", "IN_PROGRESS", "COMPLETE", "COMPLETE"]


def test_a_document_that_comes_too_late_changes_nothing(client: Client) -> None:
    """FAILED stays FAILED, or a client that gave up would be wrong."""
    job_id = client.create()
    jobs = client.system.service().processor._jobs
    claim = jobs.claim(job_id)
    client.move_clock(300_000)
    failed = client.status(job_id)
    late = Document(key=claim.document_key, size=1, sha256="0" * 64)
    assert not jobs.complete(claim, late, duration_ms=1)
    assert client.status(job_id).body == failed.body


@pytest.mark.parametrize("below", ["", "/url"])
def test_what_is_not_yours_looks_like_what_is_not_there(client: Client, below: str) -> None:
    """Another org's job, an unknown id and a malformed one: the same to the byte but for `instance`."""
    foreign = client.complete("U-1", org="globex")
    answers = set()
    for job_id in (foreign, unknown_id, *MALFORMED):
        reply = client.request("GET", f"{client.path}/{job_id}{below}", headers=bearer())
        assert (reply.status, reply.code) == (404, "JOB_NOT_FOUND"), job_id
        assert reply.json()["instance"].startswith(f"{client.path}/")
        alike = {name: value for name, value in reply.json().items() if name != "instance"}
        headers = {name: value for name, value in reply.headers.items() if name != "content-length"}
        answers.add(str((alike, headers)))
    assert len(answers) == 1
    assert client.status(foreign, org="globex").status == 200


def test_another_spelling_of_an_id_is_another_id(client: Client) -> None:
    """Ids are compared as they are told: one job has one address, on every database."""
    job_id = client.create()
    for other in (
        job_id.upper(),
        job_id.replace("-", ""),
        f"%7B{job_id}%7D",
        f"{job_id}%20",
        f"urn:uuid:{job_id}",
    ):
        assert client.status(other).code == "JOB_NOT_FOUND"
        assert client.url(other).code == "JOB_NOT_FOUND"


def test_an_id_that_reads_like_the_file_route_is_no_job_either(client: Client) -> None:
    """The route that serves local documents is undocumented: it must not show through the ids."""
    reply = client.request("GET", f"{client.path}/files", headers=bearer())
    assert (reply.status, reply.code) == (404, "JOB_NOT_FOUND")


def test_an_org_is_compared_to_the_byte(client: Client) -> None:
    """`Acme`, `acme` and `acme ` are three tenants, on every database."""
    job_id = client.create(org="acme")
    for other in ("Acme", "ACME", "acme ", " acme", "acm\u00e9", "acm", "acmex"):
        assert client.status(job_id, org=other).status == 404


def test_reading_changes_nothing(client: Client) -> None:
    """A GET can be repeated by anyone on the way."""
    job_id = client.complete()
    assert len({client.status(job_id).body for _ in range(3)}) == 1
