"""POST: what becomes of a creation that is well formed."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from sqr_jobs.adapters.sql import engine_for
from tests.host.reports import people
from tests.host.tokens import bearer
from tests.http.clients import Client, Reply
from tests.http.conftest import Serve
from tests.servers.ports import free_port

pytestmark = pytest.mark.both_forms


def test_a_202_tells_the_job_where_it_is_and_when_to_look(client: Client) -> None:
    """All that a client needs to go on without building an address itself."""
    reply = client.post({"userId": "U-1"})
    job = reply.json()
    assert reply.status == 202
    assert set(job) - {"attempts"} == {"jobId", "status", "userId", "createdAt", "updatedAt"}
    assert (job["status"], job["userId"]) == ("PENDING", "U-1")
    assert job["createdAt"] == job["updatedAt"]
    assert reply.headers["location"] == f"/v1/document/api/{job['jobId']}"
    assert reply.headers["retry-after"] == "3"
    assert reply.headers["content-type"] == "application/json"


def test_the_location_leads_to_the_job(client: Client) -> None:
    """A client follows the header as it stands."""
    reply = client.post({"userId": "U-1"})
    shown = client.request("GET", reply.headers["location"], headers=bearer())
    assert shown.status == 200
    assert shown.json() == reply.json()


def test_a_202_means_a_committed_row(client: Client) -> None:
    """Another connection sees the job the moment the answer is there, whatever dies next."""
    job_id = client.create()
    url = client.system.database.engine.url.render_as_string(hide_password=False)
    onlooker = engine_for(url, timeout_s=5)
    with onlooker.connect() as connection:
        rows = connection.execute(text("SELECT job_id, state FROM sqr_jobs_job")).all()
    onlooker.dispose()
    assert [tuple(row) for row in rows] == [(job_id, "QUEUED")]


def test_a_broker_that_is_down_does_not_matter(serve: Serve, form: str, tmp_path: Path) -> None:
    """The row is the truth and the message a doorbell: the relay rings later."""
    dead = {"broker_url": f"redis://127.0.0.1:{free_port()}/0"}
    if form == "embedded":
        dead["database_url"] = f"sqlite:///{tmp_path}/jobs.db"
    client = serve(**dead)
    job_id = client.create()
    assert client.status(job_id).json()["status"] == "PENDING"


def test_an_unknown_user_is_404(client: Client) -> None:
    """The host does not know the id."""
    reply = client.post({"userId": "NOBODY"})
    assert (reply.status, reply.code) == (404, "USER_NOT_FOUND")


def test_a_user_of_someone_else_is_403(client: Client) -> None:
    """The host knows the person, and this org may not report on them."""
    reply = client.post({"userId": "U-STRANGER"})
    assert (reply.status, reply.code) == (403, "USER_NOT_PERMITTED")


def test_the_directory_is_asked_at_every_creation(client: Client) -> None:
    """Rights change while a client runs; nothing about them is remembered."""
    client.complete("U-1")
    people.not_permitted.add("U-1")
    assert client.post({"userId": "U-1"}).status == 403
    people.not_permitted.remove("U-1")
    assert client.post({"userId": "U-1"}).status == 202
    assert people.asked == ["find U-1", "may_report acme U-1"] * 3


def test_the_permission_is_asked_for_the_org_of_the_token(client: Client) -> None:
    """What a body or a header claims does not count."""
    client.request(
        "POST",
        client.path,
        headers={**bearer("globex"), "X-Org": "acme"},
        json={"userId": "U-1"},
    )
    assert people.asked[-1] == "may_report globex U-1"


@pytest.mark.parametrize("state", ["PENDING", "IN_PROGRESS"])
def test_a_second_job_for_the_same_user_is_409_and_names_the_first(client: Client, state: str) -> None:
    """A client that lost the answer finds its job again."""
    first = client.create()
    if state == "IN_PROGRESS":
        assert claim(client, first)
    reply = client.post({"userId": "U-1"})
    assert (reply.status, reply.code) == (409, "JOB_ALREADY_ACTIVE")
    assert (reply.json()["jobId"], reply.json()["jobStatus"]) == (first, state)
    assert reply.headers["location"] == f"/v1/document/api/{first}"


def test_a_job_between_two_attempts_is_still_active(client: Client) -> None:
    """A wait for the next attempt is no end."""
    first = client.create("U-NODATA")
    client.work(first)
    reply = client.post({"userId": "U-NODATA"})
    assert (reply.status, reply.json()["jobStatus"]) == (409, "IN_PROGRESS")


@pytest.mark.parametrize("user_id", ["U-1", "U-RAISE"])
def test_a_terminal_job_makes_room_for_the_next(client: Client, user_id: str) -> None:
    """Whether it came or failed, a new report can be asked for."""
    first = client.create(user_id)
    client.work(first)
    assert client.create(user_id) != first


def test_a_job_past_its_deadline_makes_room_with_no_worker_alive(client: Client) -> None:
    """A creation that meets an overdue job ends it itself."""
    first = client.create()
    client.move_clock(300_000)
    assert client.create() != first
    assert client.status(first).json()["errorCode"] == "DEADLINE_EXCEEDED"


def test_another_org_or_user_is_no_conflict(client: Client) -> None:
    """Tenants do not notice each other."""
    ids = {client.create("U-1"), client.create("U-2"), client.create("U-1", org="globex")}
    assert len(ids) == 3


def test_of_simultaneous_requests_exactly_one_is_accepted(client: Client) -> None:
    """Two tabs, two clicks, one job; the others are told of it. On every database."""
    replies = _at_once(8, lambda _: client.post({"userId": "U-1"}))
    (accepted,) = (reply for reply in replies if reply.status == 202)
    others = [reply for reply in replies if reply is not accepted]
    assert {reply.code for reply in others} == {"JOB_ALREADY_ACTIVE"}
    assert {reply.json()["jobId"] for reply in others} == {accepted.json()["jobId"]}


def test_every_job_has_an_id_of_its_own_that_cannot_be_guessed(client: Client) -> None:
    """Random UUIDs: neither a count of our jobs nor the next id can be read from one."""
    ids = [client.create(f"U-{number}") for number in range(10)]
    assert len(set(ids)) == 10
    assert {uuid.UUID(job_id).version for job_id in ids} == {4}


def claim(client: Client, job_id: str) -> Any:
    """Take a job as a worker that then says nothing more."""
    return client.system.service().processor._jobs.claim(job_id)


def _at_once(count: int, ask: Callable[[int], Reply]) -> list[Reply]:
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(ask, range(count)))


def test_a_host_may_have_longer_ids(serve: Serve) -> None:
    """Most hosts' users are UUIDs; what is stored, shown and refused goes by the setting."""
    client, user_id = serve(user_id_max=38), f"U-{uuid.uuid4()}"
    client.keeps_contract = False  # which knows the default alone
    reply = client.post({"userId": user_id})
    assert (reply.status, reply.json()["userId"]) == (202, user_id)
    assert client.status(reply.json()["jobId"]).json()["userId"] == user_id
    refused = client.post({"userId": user_id + "x"})
    assert (refused.status, refused.json()["detail"]) == (
        400,
        "userId must have 1 to 38 characters; this one has 39.",
    )
