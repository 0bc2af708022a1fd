"""`exportDeadline` and `outputTtl`: a request's own times, within the settings' bounds."""

import hashlib
import json
from typing import Any

import pytest

from sqr_jobs import ReportJobs, Settings, build_report_jobs
from tests.host import reports as host
from tests.host.reports import Report
from tests.host.tokens import bearer
from tests.http.clients import Client, Reply
from tests.http.conftest import Serve

_FIELDS = ("exportDeadline", "outputTtl")
_NO_DURATIONS: list[Any] = [
    None, 120, 1.5, True, [], ["PT2M"], {}, "", " ", "P", "PT", "P1", "P1DT", "pt2m", "PT2m", "-PT2M",
    "+PT2M", "PT-2M", "P0.5D", "PT1,5S", "PT.5S", "PT1.S", "PT1.2345S", "PT2M ", " PT2M", "PT2M\n",
    "PT\u0663M", "PT\uff12M", "2 minutes", "00:02:00", "P1D2Y", "PT2M3H", "P" + "0" * 40 + "D", "x" * 60_000,
    "\ud800",
]  # fmt: skip
_OUT_OF_BOUNDS = [
    "PT0S",
    "PT0.999S",
    "P0D",
    "P9999Y",
    "P" + "9" * 30 + "D",
    "PT" + "9" * 29 + "S",
    "P99999999999D",
]


def _ask(client: Client, org: str, **times: Any) -> Reply:
    return client.post({"userId": "U-1", **times}, org=org)


@pytest.mark.parametrize("field", _FIELDS)
@pytest.mark.parametrize("wrong", _NO_DURATIONS, ids=lambda value: repr(value)[:20])
def test_what_is_no_duration_is_refused_with_the_fields_name(
    shared_client: Client, org: str, field: str, wrong: Any
) -> None:
    """One grammar, written as ISO 8601 has it: what two readers might take for two times is none."""
    refused = _ask(shared_client, org, **{field: wrong})
    assert (refused.status, refused.code) == (400, "REQUEST_INVALID")
    expected = f"{field}: a duration is written as ISO 8601 has it, such as PT2M or P1D."
    assert refused.json()["detail"] == expected


@pytest.mark.parametrize("field", _FIELDS)
@pytest.mark.parametrize("wrong", _OUT_OF_BOUNDS)
def test_a_duration_out_of_bounds_is_refused_in_a_sentence(
    shared_client: Client, org: str, field: str, wrong: str
) -> None:
    """However large its numbers are; the bounds are named, so that the next request can keep them."""
    refused = _ask(shared_client, org, **{field: wrong})
    assert (refused.status, refused.code) == (400, "REQUEST_INVALID")
    detail = refused.json()["detail"]
    assert detail.startswith(f"{field}: no duration is that long.") or (
        detail.startswith(f"{field} must lie between ") and "e+" not in detail
    )


@pytest.mark.parametrize(
    ("field", "asked", "is_taken"),
    [
        ("exportDeadline", "PT1S", True),
        ("exportDeadline", "PT2H", True),
        ("exportDeadline", "P0Y0M0DT0H2M0S", True),
        ("exportDeadline", "P0Y0M0DT2H0M0.001S", False),
        ("exportDeadline", "PT7200.001S", False),
        ("outputTtl", "PT5M", True),
        ("outputTtl", "PT299S", False),
        ("outputTtl", "P7D", True),
        ("outputTtl", "P1W", True),
        ("outputTtl", "P7DT0.001S", False),
    ],
)
def test_the_bounds_belong_to_what_is_allowed(
    shared_client: Client, org: str, field: str, asked: str, is_taken: bool
) -> None:
    """Up to the very millisecond."""
    assert _ask(shared_client, org, **{field: asked}).status == (202 if is_taken else 400)


def test_every_fault_of_a_body_is_told_at_once(shared_client: Client, org: str) -> None:
    """Not one at each try, of which there are ten."""
    refused = shared_client.post({"userId": "", "exportDeadline": "x", "outputTtl": None}, org=org)
    detail = refused.json()["detail"]
    assert all(name in detail for name in ("userId must", "exportDeadline: a", "outputTtl: a"))


@pytest.mark.both_forms
def test_a_job_fails_at_the_deadline_that_was_asked_for(client: Client) -> None:
    """A client that can't wait for five minutes says so; the other jobs' deadline stays."""
    quick = _ask(client, "acme", exportDeadline="PT20S").json()["jobId"]
    usual = client.create("U-2")
    client.move_clock(15_000)
    assert client.status(quick).json()["status"] == "PENDING"
    client.move_clock(6_000)
    shown = client.status(quick).json()
    assert (shown["status"], shown["errorCode"]) == ("FAILED", "DEADLINE_EXCEEDED")
    assert client.status(usual).json()["status"] == "PENDING"


def test_a_deadline_may_be_longer_than_the_usual_one(client: Client) -> None:
    """For a client that asks at night for reports of the day."""
    job_id = _ask(client, "acme", exportDeadline="PT1H30M").json()["jobId"]
    client.move_clock(5_390_000)
    assert client.status(job_id).json()["status"] == "PENDING"
    client.move_clock(11_000)
    assert client.status(job_id).json()["status"] == "FAILED"


@pytest.mark.both_forms
def test_a_document_expires_when_it_was_asked_to(client: Client) -> None:
    """Counted from the completion on; shorter or longer than a day."""
    ends = {}
    for user_id, asked, seconds in (("U-1", "PT10M", 600), ("U-2", "P2D", 172_800)):
        job_id = client.post({"userId": user_id, "outputTtl": asked}).json()["jobId"]
        assert client.work(job_id)
        ends[job_id] = seconds
    moved = 0
    for job_id, seconds in ends.items():
        client.move_clock((seconds - 60 - moved) * 1000)
        assert client.url(job_id).status == 200
        client.move_clock(61_000)
        assert (client.url(job_id).status, client.url(job_id).code) == (410, "DOCUMENT_EXPIRED")
        moved = seconds + 1


class _Brief(Report, name="report", version="v1", language="en"):
    """Keeps its documents for ten minutes, where the settings say a day."""

    document_lifetime_s = 600


def _brief() -> ReportJobs:
    return build_report_jobs(Settings(), users=host.people, templates=[_Brief()])


@pytest.mark.parametrize(
    ("asked", "seconds"), [({}, 600), ({"outputTtl": "PT30M"}, 1_800)], ids=["the template", "the request"]
)
def test_a_template_says_how_long_and_a_request_goes_before_it(
    serve: Serve, asked: dict[str, str], seconds: int
) -> None:
    """Who knows the content knows how long it may lie there; who asks may know better, within the bounds."""
    client = serve(_brief)
    job_id = client.post({"userId": "U-1", **asked}).json()["jobId"]
    assert client.work(job_id)
    client.move_clock((seconds - 60) * 1000)
    assert client.url(job_id).status == 200
    client.move_clock(61_000)
    assert (client.url(job_id).status, client.url(job_id).code) == (410, "DOCUMENT_EXPIRED")


def test_the_settings_name_the_bounds(serve: Serve) -> None:
    """A host that wants none of it sets both to its defaults."""
    client = serve(deadline_s=60, max_deadline_s=60, document_lifetime_s=600, max_document_lifetime_s=600)
    for times in ({"exportDeadline": "PT61S"}, {"outputTtl": "PT601S"}):
        assert _ask(client, "acme", **times).status == 400
    assert _ask(client, "acme", exportDeadline="PT60S", outputTtl="PT10M").status == 202


def _with_key(client: Client, body: dict[str, Any]) -> Reply:
    headers = {**bearer(), "Idempotency-Key": "order-1"}
    return client.request("POST", client.path, headers=headers, json=body)


def test_a_repeated_body_may_write_the_same_time_in_another_way(client: Client) -> None:
    """The key's fingerprint is of what is said: two minutes are 120 seconds."""
    first = _with_key(client, {"userId": "U-1", "exportDeadline": "PT2M"})
    again = _with_key(client, {"exportDeadline": "PT120S", "userId": "U-1"})
    assert (again.status, again.json()) == (202, first.json())
    # As clients write it that name every part.
    in_full = _with_key(client, {"userId": "U-1", "exportDeadline": "P0Y0M0DT0H2M0S"})
    assert (in_full.status, in_full.json()) == (202, first.json())


@pytest.mark.parametrize("other", [{}, {"exportDeadline": "PT3M"}, {"outputTtl": "PT2M"}])
def test_another_time_is_another_body(client: Client, other: dict[str, str]) -> None:
    """Whoever reuses a key for it would get a job with a deadline that they did not ask for."""
    _with_key(client, {"userId": "U-1", "exportDeadline": "PT2M"})
    assert _with_key(client, {"userId": "U-1", **other}).code == "IDEMPOTENCY_KEY_REUSED"


def test_a_body_without_times_is_the_body_that_it_was_before(client: Client) -> None:
    """Keys of requests that an older version answered are good for a day after an upgrade."""
    assert _with_key(client, {"userId": "U-1"}).status == 202
    system = client.system
    with system.database.read() as connection:
        stored = connection.exec_driver_sql("SELECT fingerprint FROM sqr_jobs_idempotency").scalar_one()
    assert (
        stored == hashlib.sha256(json.dumps({"user_id": "U-1"}, separators=(",", ":")).encode()).hexdigest()
    )
