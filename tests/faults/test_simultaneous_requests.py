"""Requests that meet in the same instant, in several web processes."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx
import pytest

from tests.acceptance.client import Client
from tests.acceptance.deployment import Deployment, Web
from tests.acceptance.fixtures import ClientOf


@pytest.fixture(params=["distributed", "embedded"])
def webs(request: pytest.FixtureRequest) -> list[Web]:
    """Give four web processes, of two frameworks, on PostgreSQL and on one SQLite file."""
    deployment: Deployment = request.getfixturevalue(request.param)
    deployment.configure(database_timeout_s=20)
    return [deployment.fastapi(workers=2), deployment.flask(workers=2)]


def test_of_32_simultaneous_requests_for_one_person_one_is_accepted(
    webs: list[Web], client_of: ClientOf
) -> None:
    """Two reports on one person at a time would cost twice and race each other (I2)."""
    clients = [client_of(web) for web in webs]
    for user in ("U-WAIT-A", "U-WAIT-B", "U-WAIT-C"):
        answers = _at_once(clients, [user] * 32)
        assert Counter(answer.status_code for answer in answers) == {202: 1, 409: 31}
        (accepted,) = (answer for answer in answers if answer.status_code == 202)
        for answer in answers:
            body = answer.json()
            assert body["jobId"] == accepted.json()["jobId"]
            assert answer.headers["Location"] == accepted.headers["Location"]
            if answer.status_code == 409:
                assert body["code"] == "JOB_ALREADY_ACTIVE"
                assert body["jobStatus"] in ("PENDING", "IN_PROGRESS")


def test_of_100_simultaneous_requests_of_one_org_ten_are_let_through(
    distributed: Deployment, client_of: ClientOf
) -> None:
    """The window is one for all processes, and has no gap through which an eleventh slips (I12)."""
    distributed.configure(rate_limit=10)
    webs = [
        distributed.fastapi("tests.faults.patient_host:fastapi", workers=2),
        distributed.flask("tests.faults.patient_host:flask", workers=2),
    ]
    counted = _ask([client_of(web) for web in webs], [f"U{number % 20}" for number in range(100)])
    assert counted[202] + counted[409] == 10
    assert counted[429] == 90


@pytest.mark.parametrize("form", ["distributed", "embedded"])
def test_processes_without_a_common_limiter_accept_ten_jobs_of_one_org_all_the_same(
    form: str, request: pytest.FixtureRequest, client_of: ClientOf
) -> None:
    """Each process counts for itself here, and the ceiling in the database counts for all (I12)."""
    deployment: Deployment = request.getfixturevalue(form)
    deployment.configure(rate_limit=10, limiter_url="memory://", database_timeout_s=20)
    clients = [client_of(deployment.fastapi(workers=2)), client_of(deployment.flask(workers=2))]
    counted = _ask(clients, [f"U-WAIT-{number}" for number in range(100)])
    assert counted == {202: 10, 429: 90}


def _ask(clients: Sequence[Client], users: Sequence[str]) -> Counter[int]:
    answers = _at_once(clients, users)
    for answer in answers:
        if answer.status_code == 429:
            assert answer.json()["code"] == "RATE_LIMITED"
            assert 1 <= int(answer.headers["Retry-After"]) <= 600
        assert "RateLimit" in answer.headers
        assert "RateLimit-Policy" in answer.headers
    return Counter(answer.status_code for answer in answers)


def _at_once(clients: Sequence[Client], users: Sequence[str]) -> list[httpx.Response]:
    barrier = Barrier(len(users))

    def ask(number: int, user: str) -> httpx.Response:
        barrier.wait(timeout=30)
        return clients[number % len(clients)].ask(user)

    with ThreadPoolExecutor(max_workers=len(users)) as threads:
        futures = [threads.submit(ask, number, user) for number, user in enumerate(users)]
        return [future.result() for future in futures]
