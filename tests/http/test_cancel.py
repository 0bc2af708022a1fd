"""DELETE {id}: a job that need not be made any more, where the host mounts the route."""

from typing import Any

import pytest

from sqr_jobs.domain.states import JobState
from sqr_jobs.web.openapi import openapi_document
from sqr_jobs.wiring.upkeep import operations_of
from tests.host.tokens import bearer
from tests.http.clients import PREFIX, Client
from tests.http.conftest import Serve
from tests.http.situations import MALFORMED, unknown_id


@pytest.fixture
def client(serve: Serve) -> Client:
    """Give a client of a host that mounts the route."""
    return serve(cancel_route=True)


def test_without_the_setting_there_is_no_such_route(serve: Serve) -> None:
    """What the contract does not have comes only where a host wants it; the host's own answer stands."""
    client = serve()
    job_id = client.create()
    refused = client.cancel(job_id)
    assert refused.status == 405
    assert "DELETE" not in refused.headers.get("allow", "")
    assert refused.headers["content-type"] != "application/problem+json"
    assert client.status(job_id).json()["status"] == "PENDING"


def test_a_waiting_job_is_failed_at_once(client: Client) -> None:
    """It shows as any job that failed, with a code of its own, and no worker makes it."""
    job_id = client.create()
    cancelled = client.cancel(job_id)
    assert (cancelled.status, cancelled.headers["content-type"]) == (200, "application/json")
    shown = cancelled.json()
    assert (shown["status"], shown["errorCode"]) == ("FAILED", "CANCELLED")
    assert shown["completedAt"] == shown["updatedAt"]
    assert "retry-after" not in cancelled.headers
    assert client.status(job_id).json() == shown
    assert not client.work(job_id)
    assert client.url(job_id).code == "JOB_FAILED"


def test_a_running_job_is_failed_at_once_and_its_attempt_writes_nothing(client: Client) -> None:
    """Its worker hears at the next heartbeat; what it still sends is not taken."""
    job_id = client.create()
    jobs = client.system.service().processor._jobs
    claim = jobs.claim(job_id)
    assert claim is not None
    assert client.cancel(job_id).json()["status"] == "FAILED"
    assert jobs.renew([claim]).lost == {claim.token}
    assert client.status(job_id).json()["errorCode"] == "CANCELLED"


def test_the_user_is_free_for_another_report(client: Client) -> None:
    """That is what a client cancels for."""
    job_id = client.create()
    client.cancel(job_id)
    assert client.create() != job_id


def test_cancelling_twice_is_once(client: Client) -> None:
    """An answer that was lost is asked for again."""
    job_id = client.create()
    first, second = client.cancel(job_id), client.cancel(job_id)
    assert (second.status, second.json()) == (200, first.json())


@pytest.mark.parametrize("user_id", ["U-1", "U-RAISE"])
def test_a_job_that_has_ended_is_not_cancelled(client: Client, user_id: str) -> None:
    """I3: its state never changes again; the answer says how it stands."""
    job_id = client.create(user_id)
    client.work(job_id)
    before = client.status(job_id)
    refused = client.cancel(job_id)
    assert (refused.status, refused.code) == (409, "JOB_ALREADY_ENDED")
    assert refused.json()["jobId"] == job_id
    assert refused.json()["jobStatus"] == before.json()["status"]
    assert client.status(job_id).json() == before.json()


def test_a_job_past_its_deadline_has_ended(client: Client) -> None:
    """Nobody had said so yet; the request that meets it does."""
    job_id = client.create()
    client.move_clock(300_001)
    assert client.cancel(job_id).code == "JOB_ALREADY_ENDED"
    assert client.status(job_id).json()["errorCode"] == "DEADLINE_EXCEEDED"


def test_another_orgs_job_is_an_unknown_one(client: Client) -> None:
    """I10: byte for byte but for the path that was asked for, and it is not touched."""
    job_id = client.create(org="other")
    theirs, nobodys = client.cancel(job_id), client.cancel(unknown_id)
    assert (theirs.status, theirs.code) == (404, "JOB_NOT_FOUND")
    assert theirs.body.replace(job_id.encode(), b"ID") == nobodys.body.replace(unknown_id.encode(), b"ID")
    kept = [{k: v for k, v in reply.headers.items() if k != "date"} for reply in (theirs, nobodys)]
    assert kept[0] == kept[1]
    assert client.status(job_id, org="other").json()["status"] == "PENDING"


@pytest.mark.parametrize("job_id", MALFORMED[::4])
def test_a_malformed_id_is_an_unknown_one(client: Client, job_id: str) -> None:
    """As with a status; whatever stands there reaches no database."""
    assert client.cancel(job_id).status == 404


def test_who_may_create_may_cancel(serve: Serve) -> None:
    """A client that only reads takes no job away."""
    client = serve(cancel_route=True, create_scope="reports:create", read_scope="reports:read")
    reply = client.post({"userId": "U-1"}, scope="reports:create")
    job_id = reply.json()["jobId"]
    refused = client.cancel(job_id, scope="reports:read")
    assert (refused.status, refused.code) == (403, "INSUFFICIENT_SCOPE")
    assert 'scope="reports:create"' in refused.headers["www-authenticate"]
    assert client.cancel(job_id, scope="reports:create").status == 200
    assert client.request("DELETE", f"{client.path}/{job_id}").status == 401


def test_a_body_is_not_looked_at(client: Client) -> None:
    """Some clients send one with every request."""
    job_id = client.create()
    reply = client.request("DELETE", f"{client.path}/{job_id}", headers=bearer(), content=b"{" * 100_000)
    assert reply.status == 200


def test_a_job_erased_under_a_cancel_is_an_unknown_one(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator is quicker by a hair: the client must not be shown what is left of it."""
    job_id = client.create()
    operations = operations_of(client.system)
    cancel = client.system.intake.cancel

    def erased_meanwhile(job: Any) -> Any:
        operations.erase("acme", "U-1")
        return cancel(job)

    monkeypatch.setattr(client.system.intake, "cancel", erased_meanwhile)
    refused = client.cancel(job_id)
    assert (refused.status, refused.code) == (404, "JOB_NOT_FOUND")
    assert operations.get(job_id).state is JobState.CANCELLED


def test_the_document_tells_of_the_route_where_it_is_mounted(client: Client, framework: str) -> None:
    """A generated client has the method, and every answer that tests of this file met is described."""
    documents = [openapi_document(PREFIX, has_cancel=True)]
    if framework == "fastapi":
        documents.append(client.app.openapi())  # type: ignore[attr-defined]
    for document in documents:
        operation = document["paths"][f"{PREFIX}/{{id}}"]["delete"]
        assert operation["operationId"] == "cancelOrgReportJob"
        assert set(operation["responses"]) == {"200", "401", "403", "404", "409", "500", "503"}
        assert list(operation["responses"]["200"]["content"]) == ["application/json"]
        assert list(operation["responses"]["409"]["content"]) == ["application/problem+json"]
        assert operation["security"] == [{"bearer": []}]
        assert [parameter["name"] for parameter in operation["parameters"]] == ["id"]


@pytest.mark.needs("fastapi")
def test_without_the_route_no_document_tells_of_it(serve_on: Serve) -> None:
    """A documentation page must not offer what is answered with 405."""
    own = serve_on("fastapi").app.openapi()  # type: ignore[attr-defined]
    for document in (own, openapi_document(PREFIX)):
        assert set(document["paths"][f"{PREFIX}/{{id}}"]) == {"get"}
