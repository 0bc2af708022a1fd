"""Requests under one `Idempotency-Key` that meet: however they interleave, one job is made."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from sqr_jobs import User
from tests.host.people import People
from tests.http.clients import Client, Reply
from tests.http.keyed import BODY, count_jobs, post_with_key, quota_left
from tests.servers.ports import wait_until

pytestmark = pytest.mark.both_forms


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
    monkeypatch.setattr("sqr_jobs.report_jobs.TWIN_WAIT_S", 30.0)


@contextmanager
def _being_answered(client: Client, content: bytes = BODY) -> Iterator[tuple[_Gate, ThreadPoolExecutor]]:
    """Send a request that stands before the gate when the block begins, and is answered after it."""
    gate = _Gate()
    client.system.users = gate  # type: ignore[misc]
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(post_with_key, client, content)
        wait_until(lambda: gate.waiting, seconds=10, what="the first request before the gate")
        try:
            yield gate, threads
        finally:
            gate.opened.set()
        assert first.result(timeout=30).status == 202


@pytest.mark.usefixtures("patience")
def test_twins_at_once_get_one_job(client: Client) -> None:
    """A proxy that sends a request twice: on every database, however they interleave."""
    for number in range(3):
        barrier = threading.Barrier(8)

        def ask(_: int, barrier: threading.Barrier = barrier, number: int = number) -> Reply:
            barrier.wait(timeout=30)
            return post_with_key(client, b'{"userId": "U-%d"}' % number, key=f"order-{number}")

        with ThreadPoolExecutor(8) as threads:
            replies = list(threads.map(ask, range(8)))
        assert {reply.status for reply in replies} == {202}
        assert len({reply.body for reply in replies}) == 1
        assert count_jobs(client) == number + 1
    assert quota_left(client.post({})) == "r=6"


@pytest.mark.usefixtures("patience")
def test_twins_at_once_with_different_bodies_get_one_job_and_refusals(client: Client) -> None:
    """One request owns the key; which one is chance, that it is one is not."""
    barrier = threading.Barrier(6)

    def ask(number: int) -> Reply:
        barrier.wait(timeout=30)
        return post_with_key(client, b'{"userId": "U-%d"}' % number)

    with ThreadPoolExecutor(6) as threads:
        replies = list(threads.map(ask, range(6)))
    assert sorted(reply.status for reply in replies) == [202] + [422] * 5
    assert {reply.code for reply in replies if reply.status == 422} == {"IDEMPOTENCY_KEY_REUSED"}
    assert count_jobs(client) == 1


@pytest.mark.usefixtures("patience")
def test_a_twin_waits_for_the_commit_of_the_first(client: Client) -> None:
    """The repetition of a request that is still being answered gets that request's answer."""
    with _being_answered(client) as (gate, threads):
        looked = threading.Event()
        answered = client.system.intake.answered

        def look(*arguments: Any, **keywords: Any) -> Any:
            looked.set()
            return answered(*arguments, **keywords)

        client.system.intake.answered = look  # type: ignore[method-assign]
        twin = threads.submit(post_with_key, client)
        assert looked.wait(timeout=10)
        assert not twin.done()
        gate.opened.set()
        reply = twin.result(timeout=30)
    assert (reply.status, count_jobs(client)) == (202, 1)
    assert gate.asked.count("find U-1") == 1


def test_a_twin_of_a_slow_request_is_409_after_a_second(client: Client) -> None:
    """No request hangs on another for long; the client comes back in a second and finds the job."""
    with _being_answered(client):
        began = time.monotonic()
        reply = post_with_key(client)
        took = time.monotonic() - began
        assert (reply.status, reply.code) == (409, "IDEMPOTENCY_KEY_IN_USE")
        assert reply.headers["retry-after"] == "1"
        assert 0.9 <= took < 4
        assert "ratelimit" not in reply.headers
    assert (post_with_key(client).status, count_jobs(client)) == (202, 1)


def test_a_twin_with_another_body_is_refused_at_once(client: Client) -> None:
    """There is nothing to wait for: whatever comes of the first, this is another request."""
    with _being_answered(client):
        assert post_with_key(client, b'{"userId": "U-2"}').code == "IDEMPOTENCY_KEY_REUSED"
