"""`Idempotency-Key`: a creation that is sent again is answered again, and made once."""

import time
from typing import Any

import pytest
import time_machine
from sqlalchemy import event

from sqr_jobs.adapters.sql.idempotency import SqlIdempotency
from tests.host.reports import people
from tests.host.tokens import bearer
from tests.http.clients import JSON, Client, Reply
from tests.http.conftest import Serve
from tests.http.keyed import BODY, count_jobs, post_with_key, quota_left
from tests.http.situations import Broken

pytestmark = pytest.mark.both_forms

_DAY_MS = 24 * 3_600 * 1000


def test_the_same_key_and_body_get_the_same_202_again(client: Client) -> None:
    """A client that never saw the answer asks again, and has one report made."""
    first, again = post_with_key(client), post_with_key(client)
    assert (first.status, again.status) == (202, 202)
    assert again.body == first.body
    for name in ("location", "retry-after", "content-type", "cache-control"):
        assert again.headers[name] == first.headers[name]
    assert count_jobs(client) == 1


@pytest.mark.parametrize("user_id", ["U-1", "U-RAISE"])
def test_the_answer_stays_that_of_the_creation_whatever_became_of_the_job(
    client: Client, user_id: str
) -> None:
    """The same request has the same answer; how the job stands now is for its status to tell."""
    body = b'{"userId": "%s"}' % user_id.encode()
    first = post_with_key(client, body)
    client.work(first.json()["jobId"])
    assert post_with_key(client, body).body == first.body
    assert count_jobs(client) == 1


@pytest.mark.parametrize(
    "content", [b'{"userId":"U-1"}', b' {\n"userId" : "U-1" }\r\n', rb'{"userId":"\u0055-1"}']
)
def test_bodies_are_compared_by_what_they_say(client: Client, content: bytes) -> None:
    """Another JSON library may write the same body differently."""
    assert post_with_key(client, content).body == post_with_key(client).body


@pytest.mark.parametrize(
    "content", [b'{"userId": "U-2"}', b'{"userId": "u-1"}', b'{"userId": "U-1", "colour": 1}', b"{", b""]
)
def test_the_same_key_with_another_body_is_422(client: Client, content: bytes) -> None:
    """The client must hear of it before it takes another person's job for the one it asked for."""
    first = post_with_key(client)
    reply = post_with_key(client, content)
    assert (reply.status, reply.code) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert first.json()["jobId"] not in reply.body.decode()
    assert count_jobs(client) == 1


def test_another_key_is_another_request(client: Client) -> None:
    """To the byte: two keys that differ in case are two."""
    assert post_with_key(client).status == 202
    for key in ("order-2", "Order-1", "order-1x", "order"):
        assert post_with_key(client, key=key).code == "JOB_ALREADY_ACTIVE"


def test_each_org_has_keys_of_its_own(client: Client) -> None:
    """Another tenant's key neither answers nor refuses."""
    mine, theirs = post_with_key(client), post_with_key(client, b'{"userId": "U-2"}', org="globex")
    assert (mine.status, theirs.status) == (202, 202)
    assert mine.json()["jobId"] != theirs.json()["jobId"]
    assert post_with_key(client, org="globex").code == "IDEMPOTENCY_KEY_REUSED"


def test_a_key_is_kept_for_24_hours(client: Client) -> None:
    """A day is long enough for any retry, and then the key is free."""
    first = post_with_key(client)
    client.move_clock(_DAY_MS - 60_000)
    assert post_with_key(client).body == first.body
    client.move_clock(120_000)
    second = post_with_key(client)
    assert second.status == 202
    assert second.json()["jobId"] != first.json()["jobId"]


def test_a_repetition_is_not_counted(client: Client) -> None:
    """Sending again is what a careful client does, and must not cost it its quota."""
    first = post_with_key(client)
    assert quota_left(first) == "r=9"
    for _ in range(12):
        assert post_with_key(client).status == 202
        assert post_with_key(client, b'{"userId": "U-2"}').status == 422
    assert quota_left(client.post({})) == "r=8"


def test_a_repetition_is_answered_when_the_quota_is_spent(client: Client) -> None:
    """The key comes before the limit: this 202 was given already."""
    first = post_with_key(client)
    for _ in range(9):
        client.post({})
    assert client.post({}).status == 429
    assert post_with_key(client).body == first.body
    assert post_with_key(client, b"{").status == 422
    assert post_with_key(client, key="new").status == 429


@pytest.mark.parametrize(
    ("sent", "status"), [(b"{", 400), (b'{"userId": "NOBODY"}', 404), (b'{"userId": "U-STRANGER"}', 403)]
)
def test_a_refusal_leaves_the_key_free(client: Client, sent: bytes, status: int) -> None:
    """Only a 202 is recorded: a client mends its request and sends it under the same key."""
    for _ in range(2):
        assert post_with_key(client, sent).status == status
    assert post_with_key(client).status == 202


def test_a_conflict_leaves_the_key_free(client: Client) -> None:
    """When the other job has ended, the same request is accepted."""
    other = client.create("U-1")
    for _ in range(2):
        assert post_with_key(client).code == "JOB_ALREADY_ACTIVE"
    client.work(other)
    assert post_with_key(client).status == 202


def test_a_refused_rate_leaves_the_key_free(serve: Serve) -> None:
    """A client that waits as it was told sends the same request again."""
    client = serve(rate_limit=1, rate_window_s=60)
    client.create("U-2")
    for _ in range(2):
        assert post_with_key(client).code == "RATE_LIMITED"
    client.move_clock(60_000)
    with time_machine.travel(time.time() + 60.5, tick=False):
        assert post_with_key(client).status == 202


def test_a_flood_of_new_keys_over_the_limit_writes_nothing(serve: Serve) -> None:
    """One org could make the database work for all: over its limit a key is looked up, and no more."""
    client = serve(rate_limit=1)
    first = post_with_key(client)
    written: list[str] = []

    @event.listens_for(client.system.database.engine, "before_cursor_execute")
    def _note(*arguments: Any) -> None:
        if not arguments[2].startswith("SELECT"):
            written.append(arguments[2])

    replies = [post_with_key(client, b'{"userId": "U-2"}', key=f"new-{number}") for number in range(20)]
    assert {(reply.status, quota_left(reply)) for reply in replies} == {(429, "r=0")}
    assert written == []
    assert post_with_key(client).body == first.body


def test_an_unexpected_fault_leaves_the_key_free(client: Client) -> None:
    """What broke before the commit can be sent again."""
    users = client.system.users
    client.system.users = Broken()  # type: ignore[misc]
    for _ in range(2):
        assert post_with_key(client).status == 500
    client.system.users = users  # type: ignore[misc]
    assert post_with_key(client).status == 202


def test_a_job_whose_key_cannot_be_recorded_is_not_stored(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Job and record are one transaction: a repetition never finds the one without the other."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(SqlIdempotency, "record", fail)
        assert post_with_key(client).status == 500
        assert count_jobs(client) == 0
    assert post_with_key(client).status == 202


def test_a_commit_whose_answer_was_lost_is_found_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process breaks after the commit; the client, told of a fault, repeats and gets the job."""

    def fail(_job_id: str) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(client.system.queue, "ring", fail)
        assert post_with_key(client).status == 500
    assert count_jobs(client) == 1
    again = post_with_key(client)
    assert (again.status, count_jobs(client)) == (202, 1)
    assert client.status(again.json()["jobId"]).status == 200


def test_a_key_whose_process_died_is_free_again_after_ten_seconds(client: Client) -> None:
    """A request that will never be answered must not hold its key for a day."""
    client.system.intake.release = lambda _reservation: None  # type: ignore[method-assign]
    assert post_with_key(client, b'{"userId": "NOBODY"}').status == 404
    client.move_clock(10_000)
    assert post_with_key(client).status == 202


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_without_or_with_too_many_characters_is_400(client: Client, key: str) -> None:
    """A client that believes itself protected must hear that it is not."""
    reply = post_with_key(client, key=key)
    assert (reply.status, reply.code) == (400, "REQUEST_INVALID")
    assert "Idempotency-Key must have 1 to 255 characters." in reply.json()["detail"]
    assert people.asked == []


@pytest.mark.parametrize(
    "key", ["x", "x" * 255, '"quoted"', "a b, c", "%00", "caf\u00e9", "'; DROP TABLE x--"]
)
def test_any_key_of_1_to_255_characters_serves(client: Client, key: str) -> None:
    """Keys are the client's: nothing is read out of them."""
    first = post_with_key(client, key=key)
    assert (first.status, post_with_key(client, key=key).body) == (202, first.body)


def test_what_comes_before_the_key_is_checked_on_a_repetition_too(serve: Serve) -> None:
    """Who has lost the right to ask is not told of the job again."""
    client = serve(create_scope="reports:create")
    headers = {**bearer(scope="reports:create"), **JSON, "Idempotency-Key": "k"}

    def ask(content: bytes = BODY, **changed: str) -> Reply:
        return client.request("POST", client.path, headers={**headers, **changed}, content=content)

    assert ask().status == 202
    assert ask(Authorization="Bearer bad").status == 401
    assert ask(Authorization=bearer()["Authorization"]).code == "INSUFFICIENT_SCOPE"
    assert ask(**{"Content-Type": "text/plain"}).status == 415
    assert ask(b" " * 65_537).status == 413
    assert ask().status == 202
