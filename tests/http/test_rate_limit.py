"""At most ten creations of an org in any ten minutes."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine

from sqr_jobs import RateLimit
from sqr_jobs.ports import Quota
from tests.host.tokens import bearer
from tests.http.clients import JSON, Client
from tests.http.situations import Broken

pytestmark = pytest.mark.both_forms


class _Forgetful:
    """A limiter whose memory was wiped: it lets everyone through."""

    def hit(self, org_id: str, limit: RateLimit) -> Quota:
        return Quota(allowed=True, limit=limit.requests, window_s=limit.window_s, remaining=10, reset_s=600)


def _refused(client: Client, times: int, org: str = "acme") -> None:
    for _ in range(times):
        assert client.post({"userId": "NOBODY"}, org=org).status == 404


def test_ten_are_let_through_and_the_eleventh_is_429(client: Client) -> None:
    """The promise itself, with what a client needs to wait for the right moment."""
    for number in range(10):
        assert client.post({"userId": f"U-{number}"}).status == 202
    reply = client.post({"userId": "U-11"})
    assert (reply.status, reply.code) == (429, "RATE_LIMITED")
    assert 1 <= int(reply.headers["retry-after"]) <= 600


def test_each_answer_tells_the_policy_and_what_is_left(client: Client) -> None:
    """draft-ietf-httpapi-ratelimit-headers: a client can pace itself before it is refused."""
    left = []
    for number in range(11):
        reply = client.post({"userId": f"U-{number}"})
        assert reply.headers["ratelimit-policy"] == '"org";q=10;w=600'
        found = re.fullmatch(r'"org";r=(\d+);t=(\d+)', reply.headers["ratelimit"])
        assert found
        left.append(int(found[1]))
        assert 1 <= int(found[2]) <= 600
    assert left == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"userId": "NOBODY"}, 404),
        ({"userId": "U-STRANGER"}, 403),
        ({"userId": "U-ACTIVE"}, 409),
    ],
)
def test_requests_that_later_checks_refuse_are_counted_and_say_so(
    client: Client, body: dict[str, str], status: int
) -> None:
    """Ids can't be tried out any faster than reports can be asked for."""
    client.create("U-ACTIVE")
    for _ in range(9):
        reply = client.post(body)
        assert reply.status == status
        assert {"ratelimit-policy", "ratelimit"} <= set(reply.headers)
    assert client.post({"userId": "U-2"}).status == 429


def test_a_creation_that_breaks_is_counted_and_says_so(client: Client) -> None:
    """Every answer from the limiter on tells what is left, even an unexpected one."""
    client.system.users = Broken()
    for _ in range(10):
        assert client.post({"userId": "U-1"}).headers["ratelimit-policy"] == '"org";q=10;w=600'
    assert client.post({"userId": "U-1"}).status == 429


def test_requests_that_earlier_checks_refuse_are_not_counted(client: Client) -> None:
    """A stranger with a bad token, or a client with a wrong media type, uses up nobody's quota."""
    for _ in range(11):
        assert client.request("POST", client.path, headers=JSON, content=b"{}").status == 401
        assert client.request("POST", client.path, headers=bearer(), content=b"{}").status == 415
        too_large = client.request("POST", client.path, headers={**bearer(), **JSON}, content=b" " * 65_537)
        assert too_large.status == 413
    assert client.post({"userId": "U-1"}).headers["ratelimit"].startswith('"org";r=9;')


def test_reads_are_not_counted(client: Client) -> None:
    """Polling is what a client is asked to do."""
    job_id = client.create()
    for _ in range(15):
        assert client.status(job_id).status == 200
        assert client.url(job_id).status == 422
    assert client.post({"userId": "U-2"}).headers["ratelimit"].startswith('"org";r=8;')


def test_another_org_is_not_affected(client: Client) -> None:
    """One tenant's burst is no one else's outage."""
    _refused(client, 10)
    assert client.post({"userId": "U-1"}).status == 429
    assert client.post({"userId": "U-1"}, org="globex").status == 202


def test_clients_of_one_org_share_its_quota(client: Client) -> None:
    """The limit is the org's, however many tokens it has."""
    for number in range(10):
        client.post({}, sub=f"client-{number}", client_id=f"client-{number}")
    assert client.post({"userId": "U-1"}, sub="another").status == 429


def test_the_wait_that_is_told_is_the_wait_that_is_needed(client: Client) -> None:
    """A client that comes back when it was told to is let through, and a second earlier is not."""
    began = time.time()
    with time_machine.travel(began, tick=False):
        _refused(client, 1)
    with time_machine.travel(began + 100, tick=False):
        _refused(client, 9)
        wait = int(client.post({}).headers["retry-after"])
        assert 499 <= wait <= 501
    with time_machine.travel(began + 100 + wait - 2, tick=False):
        assert client.post({}).status == 429
    with time_machine.travel(began + 100 + wait + 0.01, tick=False):
        assert client.post({}).status == 400


def test_the_window_moves_and_has_no_edge(client: Client) -> None:
    """No ten minutes hold more than ten, wherever they begin: a fixed window would let twenty through."""
    began = time.time()
    let_through: list[int] = []
    for second in (0, 300, 590, 595, 599, 601, 605, 899, 901, 1_189, 1_191):
        with time_machine.travel(began + second, tick=False):
            let_through += [second for _ in range(4) if client.post({}).status == 400]
    for start in let_through:
        assert sum(start <= moment < start + 600 for moment in let_through) <= 10
    assert let_through.count(0) == 4
    assert 601 in let_through


def test_refused_requests_do_not_prolong_the_wait(client: Client) -> None:
    """An impatient client gets in at the same moment as a patient one."""
    began = time.time()
    with time_machine.travel(began, tick=False):
        _refused(client, 10)
    with time_machine.travel(began + 300, tick=False):
        for _ in range(20):
            assert client.post({}).status == 429
    with time_machine.travel(began + 601, tick=False):
        assert client.post({}).status == 400


def test_the_ceiling_in_the_database_holds_when_the_limiter_forgets(client: Client) -> None:
    """Redis may be wiped at any moment: never more than ten accepted jobs in ten minutes all the same."""
    client.system.limiter = _Forgetful()
    for number in range(10):
        assert client.post({"userId": f"U-{number}"}).status == 202
        client.move_clock(10_000)
    reply = client.post({"userId": "U-11"})
    assert (reply.status, reply.code) == (429, "RATE_LIMITED")
    assert 495 <= int(reply.headers["retry-after"]) <= 500
    assert reply.headers["ratelimit-policy"] == '"org";q=10;w=600'
    assert reply.headers["ratelimit"].startswith('"org";r=0;')
    assert client.post({"userId": "U-11"}, org="globex").status == 202
    client.move_clock(int(reply.headers["retry-after"]) * 1000)
    assert client.post({"userId": "U-11"}).status == 202
    assert client.post({"userId": "U-12"}).status == 429


def test_the_ceiling_holds_for_simultaneous_requests(client: Client) -> None:
    """Counting and inserting are one step, on every database."""
    client.system.limiter = _Forgetful()
    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(lambda n: client.post({"userId": f"U-{n}"}).status, range(16)))
    assert sorted(statuses) == [202] * 10 + [429] * 6


def test_what_was_refused_does_not_count_towards_the_ceiling(client: Client) -> None:
    """The ceiling is on accepted jobs; only the limiter counts attempts."""
    client.system.limiter = _Forgetful()
    _refused(client, 20)
    assert client.post({"userId": "U-1"}).status == 202


def test_the_limit_is_configurable(serve) -> None:
    """Hosts sell other quotas; limiter and ceiling follow the same two settings."""
    client = serve(rate_limit=2, rate_window_s=60)
    client.create("U-1")
    assert client.post({"userId": "U-2"}).headers["ratelimit-policy"] == '"org";q=2;w=60'
    reply = client.post({"userId": "U-3"})
    assert reply.status == 429
    assert 1 <= int(reply.headers["retry-after"]) <= 60
    client.system.limiter = _Forgetful()
    assert client.post({"userId": "U-3"}).status == 429
    client.move_clock(60_000)
    assert client.post({"userId": "U-3"}).status == 202
