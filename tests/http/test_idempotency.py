"""`Idempotency-Key`: a creation that is sent again is answered again, and made once."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import time_machine
from sqlalchemy import func, select

from sqr_jobs import User
from sqr_jobs.adapters.sql import idempotency
from sqr_jobs.adapters.sql.idempotency import SqlIdempotency
from sqr_jobs.adapters.sql.tables import job
from tests.host.people import People
from tests.host.reports import people
from tests.host.tokens import bearer
from tests.http.clients import JSON, Client, Reply
from tests.http.conftest import Serve
from tests.http.situations import Broken
from tests.servers.ports import wait_until

pytestmark = pytest.mark.both_forms

_DAY_MS = 24 * 3_600 * 1000
_BODY = b'{"userId": "U-1"}'


class _Gate(People):
    """A directory that lets nobody through until it is opened, and counts who stands before it."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = threading.Event()
        self.waiting = 0

    def find(self, user_id: str) -> User | None:
        self.waiting += 1
        assert self.opened.wait(timeout=30)
        return super().find(user_id)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a twin wait for longer than its second, so that no slow machine decides a race."""
    monkeypatch.setattr(idempotency, "_WAIT_S", 30.0)


def _post(client: Client, content: bytes = _BODY, *, key: str = "order-1", org: str = "acme") -> Reply:
    headers = {**bearer(org), **JSON, "Idempotency-Key": key}
    return client.request("POST", client.path, headers=headers, content=content)


def _jobs(client: Client) -> int:
    with client.system.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(job)).scalar_one())


def _left(reply: Reply) -> str:
    return reply.headers["ratelimit"].split(";")[1]


@contextmanager
def _being_answered(client: Client, content: bytes = _BODY) -> Iterator[tuple[_Gate, ThreadPoolExecutor]]:
    """Send a request that stands before the gate when the block begins, and is answered after it."""
    gate = _Gate()
    client.system.users = gate  # type: ignore[misc]
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(_post, client, content)
        wait_until(lambda: gate.waiting, seconds=10, what="the first request before the gate")
        try:
            yield gate, threads
        finally:
            gate.opened.set()
        assert first.result(timeout=30).status == 202


def test_the_same_key_and_body_get_the_same_202_again(client: Client) -> None:
    """A client that never saw the answer asks again, and has one report made."""
    first, again = _post(client), _post(client)
    assert (first.status, again.status) == (202, 202)
    assert again.body == first.body
    for name in ("location", "retry-after", "content-type", "cache-control"):
        assert again.headers[name] == first.headers[name]
    assert _jobs(client) == 1


@pytest.mark.parametrize("user_id", ["U-1", "U-RAISE"])
def test_the_answer_stays_that_of_the_creation_whatever_became_of_the_job(
    client: Client, user_id: str
) -> None:
    """The same request has the same answer; how the job stands now is for its status to tell."""
    body = b'{"userId": "%s"}' % user_id.encode()
    first = _post(client, body)
    client.work(first.json()["jobId"])
    assert _post(client, body).body == first.body
    assert _jobs(client) == 1


@pytest.mark.parametrize(
    "content", [b'{"userId":"U-1"}', b' {\n"userId" : "U-1" }\r\n', rb'{"userId":"\u0055-1"}']
)
def test_bodies_are_compared_by_what_they_say(client: Client, content: bytes) -> None:
    """Another JSON library may write the same body differently."""
    assert _post(client, content).body == _post(client).body


@pytest.mark.parametrize(
    "content", [b'{"userId": "U-2"}', b'{"userId": "u-1"}', b'{"userId": "U-1", "colour": 1}', b"{", b""]
)
def test_the_same_key_with_another_body_is_422(client: Client, content: bytes) -> None:
    """The client must hear of it before it takes another person's job for the one it asked for."""
    first = _post(client)
    reply = _post(client, content)
    assert (reply.status, reply.code) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert first.json()["jobId"] not in reply.body.decode()
    assert _jobs(client) == 1


def test_another_key_is_another_request(client: Client) -> None:
    """To the byte: two keys that differ in case are two."""
    assert _post(client).status == 202
    for key in ("order-2", "Order-1", "order-1x", "order"):
        assert _post(client, key=key).code == "JOB_ALREADY_ACTIVE"


def test_each_org_has_keys_of_its_own(client: Client) -> None:
    """Another tenant's key neither answers nor refuses."""
    mine, theirs = _post(client), _post(client, b'{"userId": "U-2"}', org="globex")
    assert (mine.status, theirs.status) == (202, 202)
    assert mine.json()["jobId"] != theirs.json()["jobId"]
    assert _post(client, org="globex").code == "IDEMPOTENCY_KEY_REUSED"


def test_a_key_is_kept_for_24_hours(client: Client) -> None:
    """A day is long enough for any retry, and then the key is free."""
    first = _post(client)
    client.move_clock(_DAY_MS - 60_000)
    assert _post(client).body == first.body
    client.move_clock(120_000)
    second = _post(client)
    assert second.status == 202
    assert second.json()["jobId"] != first.json()["jobId"]


def test_a_repetition_is_not_counted(client: Client) -> None:
    """Sending again is what a careful client does, and must not cost it its quota."""
    first = _post(client)
    assert _left(first) == "r=9"
    for _ in range(12):
        assert _post(client).status == 202
        assert _post(client, b'{"userId": "U-2"}').status == 422
    assert _left(client.post({})) == "r=8"


def test_a_repetition_is_answered_when_the_quota_is_spent(client: Client) -> None:
    """The key comes before the limit: this 202 was given already."""
    first = _post(client)
    for _ in range(9):
        client.post({})
    assert client.post({}).status == 429
    assert _post(client).body == first.body
    assert _post(client, b"{").status == 422
    assert _post(client, key="new").status == 429


@pytest.mark.parametrize(
    ("sent", "status"), [(b"{", 400), (b'{"userId": "NOBODY"}', 404), (b'{"userId": "U-STRANGER"}', 403)]
)
def test_a_refusal_leaves_the_key_free(client: Client, sent: bytes, status: int) -> None:
    """Only a 202 is recorded: a client mends its request and sends it under the same key."""
    for _ in range(2):
        assert _post(client, sent).status == status
    assert _post(client).status == 202


def test_a_conflict_leaves_the_key_free(client: Client) -> None:
    """When the other job has ended, the same request is accepted."""
    other = client.create("U-1")
    for _ in range(2):
        assert _post(client).code == "JOB_ALREADY_ACTIVE"
    client.work(other)
    assert _post(client).status == 202


def test_a_refused_rate_leaves_the_key_free(serve: Serve) -> None:
    """A client that waits as it was told sends the same request again."""
    client = serve(rate_limit=1, rate_window_s=60)
    client.create("U-2")
    for _ in range(2):
        assert _post(client).code == "RATE_LIMITED"
    client.move_clock(60_000)
    with time_machine.travel(time.time() + 60.5, tick=False):
        assert _post(client).status == 202


def test_an_unexpected_fault_leaves_the_key_free(client: Client) -> None:
    """What broke before the commit can be sent again."""
    users = client.system.users
    client.system.users = Broken()  # type: ignore[misc]
    for _ in range(2):
        assert _post(client).status == 500
    client.system.users = users  # type: ignore[misc]
    assert _post(client).status == 202


def test_a_job_whose_key_cannot_be_recorded_is_not_stored(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Job and record are one transaction: a repetition never finds the one without the other."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(SqlIdempotency, "record", fail)
        assert _post(client).status == 500
        assert _jobs(client) == 0
    assert _post(client).status == 202


def test_a_commit_whose_answer_was_lost_is_found_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process breaks after the commit; the client, told of a fault, repeats and gets the job."""

    def fail(_job_id: str) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(client.system.queue, "ring", fail)
        assert _post(client).status == 500
    assert _jobs(client) == 1
    again = _post(client)
    assert (again.status, _jobs(client)) == (202, 1)
    assert client.status(again.json()["jobId"]).status == 200


@pytest.mark.usefixtures("patience")
def test_twins_at_once_get_one_job(client: Client) -> None:
    """A proxy that sends a request twice: on every database, however they interleave."""
    for number in range(3):
        barrier = threading.Barrier(8)

        def ask(_: int, barrier: threading.Barrier = barrier, number: int = number) -> Reply:
            barrier.wait(timeout=30)
            return _post(client, b'{"userId": "U-%d"}' % number, key=f"order-{number}")

        with ThreadPoolExecutor(8) as threads:
            replies = list(threads.map(ask, range(8)))
        assert {reply.status for reply in replies} == {202}
        assert len({reply.body for reply in replies}) == 1
        assert _jobs(client) == number + 1
    assert _left(client.post({})) == "r=6"


@pytest.mark.usefixtures("patience")
def test_twins_at_once_with_different_bodies_get_one_job_and_refusals(client: Client) -> None:
    """One request owns the key; which one is chance, that it is one is not."""
    barrier = threading.Barrier(6)

    def ask(number: int) -> Reply:
        barrier.wait(timeout=30)
        return _post(client, b'{"userId": "U-%d"}' % number)

    with ThreadPoolExecutor(6) as threads:
        replies = list(threads.map(ask, range(6)))
    assert sorted(reply.status for reply in replies) == [202] + [422] * 5
    assert {reply.code for reply in replies if reply.status == 422} == {"IDEMPOTENCY_KEY_REUSED"}
    assert _jobs(client) == 1


@pytest.mark.usefixtures("patience")
def test_a_twin_waits_for_the_commit_of_the_first(client: Client) -> None:
    """The repetition of a request that is still being answered gets that request's answer."""
    with _being_answered(client) as (gate, threads):
        looked = threading.Event()
        reserve = client.system.intake.reserve

        def look(*arguments: Any) -> Any:
            looked.set()
            return reserve(*arguments)

        client.system.intake.reserve = look  # type: ignore[method-assign]
        twin = threads.submit(_post, client)
        assert looked.wait(timeout=10)
        assert not twin.done()
        gate.opened.set()
        reply = twin.result(timeout=30)
    assert (reply.status, _jobs(client)) == (202, 1)
    assert gate.asked.count("find U-1") == 1


def test_a_twin_of_a_slow_request_is_409_after_a_second(client: Client) -> None:
    """No request hangs on another for long; the client comes back in a second and finds the job."""
    with _being_answered(client):
        began = time.monotonic()
        reply = _post(client)
        took = time.monotonic() - began
        assert (reply.status, reply.code) == (409, "IDEMPOTENCY_KEY_IN_USE")
        assert reply.headers["retry-after"] == "1"
        assert 0.9 <= took < 4
        assert "ratelimit" not in reply.headers
    assert (_post(client).status, _jobs(client)) == (202, 1)


def test_a_twin_with_another_body_is_refused_at_once(client: Client) -> None:
    """There is nothing to wait for: whatever comes of the first, this is another request."""
    with _being_answered(client):
        assert _post(client, b'{"userId": "U-2"}').code == "IDEMPOTENCY_KEY_REUSED"


def test_a_key_whose_process_died_is_free_again_after_ten_seconds(client: Client) -> None:
    """A request that will never be answered must not hold its key for a day."""
    client.system.intake.release = lambda _reservation: None  # type: ignore[method-assign]
    assert _post(client, b'{"userId": "NOBODY"}').status == 404
    client.move_clock(10_000)
    assert _post(client).status == 202


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_without_or_with_too_many_characters_is_400(client: Client, key: str) -> None:
    """A client that believes itself protected must hear that it is not."""
    reply = _post(client, key=key)
    assert (reply.status, reply.code) == (400, "REQUEST_INVALID")
    assert "Idempotency-Key must have 1 to 255 characters." in reply.json()["detail"]
    assert people.asked == []


@pytest.mark.parametrize(
    "key", ["x", "x" * 255, '"quoted"', "a b, c", "%00", "caf\u00e9", "'; DROP TABLE x--"]
)
def test_any_key_of_1_to_255_characters_serves(client: Client, key: str) -> None:
    """Keys are the client's: nothing is read out of them."""
    first = _post(client, key=key)
    assert (first.status, _post(client, key=key).body) == (202, first.body)


def test_what_comes_before_the_key_is_checked_on_a_repetition_too(serve: Serve) -> None:
    """Who has lost the right to ask is not told of the job again."""
    client = serve(create_scope="reports:create")
    headers = {**bearer(scope="reports:create"), **JSON, "Idempotency-Key": "k"}

    def ask(content: bytes = _BODY, **changed: str) -> Reply:
        return client.request("POST", client.path, headers={**headers, **changed}, content=content)

    assert ask().status == 202
    assert ask(Authorization="Bearer bad").status == 401
    assert ask(Authorization=bearer()["Authorization"]).code == "INSUFFICIENT_SCOPE"
    assert ask(**{"Content-Type": "text/plain"}).status == 415
    assert ask(b" " * 65_537).status == 413
    assert ask().status == 202
