"""Whether the time of an answer tells what its bytes do not.

Measured at the endpoints, below the frameworks: those only translate, and their own noise would hide a
difference.
"""

import gc
import time
from collections.abc import Callable, Iterator

import pytest

from sqr_jobs.web import HttpRequest
from tests.host.tokens import bearer
from tests.http.clients import Client
from tests.http.conftest import FRAMEWORKS, Serve
from tests.http.situations import unknown_id

_PAIRS = 800
_FAIR = (0.37, 0.63)
"""Of fair pairs one half is slower on either side, 0.018 up or down; this is seven times as much."""


@pytest.fixture
def client(serve_on: Serve) -> Client:
    """Give the sample host in one framework; which one makes no difference down there."""
    return serve_on(FRAMEWORKS[0])


@pytest.fixture(autouse=True)
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector, which comes every so many objects, from taking sides."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def _asking(client: Client, route: str, job_id: str) -> Callable[[], object]:
    path = f"{client.path}/{job_id}" + ("/url" if route == "download_url" else "")
    headers = {name.lower(): value for name, value in bearer("acme").items()}
    request = HttpRequest(path=path, origin="http://reports.example", headers=headers, body=b"")
    endpoint = getattr(client.system.endpoints, route)
    return lambda: endpoint(request, job_id)


def _slower(one: Callable[[], object], other: Callable[[], object]) -> float:
    """Say in which share of pairs `one` took longer than `other`; a busy machine slows both of a pair."""

    def took(what: Callable[[], object]) -> float:
        began = time.perf_counter()
        what()
        return time.perf_counter() - began

    for _ in range(20):
        one(), other()
    slower = 0
    for number in range(_PAIRS):
        if number % 2:  # whoever comes second finds warmer caches
            first, second = took(one), took(other)
        else:
            second, first = took(other), took(one)
        slower += first > second
    return slower / _PAIRS


@pytest.mark.parametrize("route", ["status", "download_url", "cancel"])
def test_another_orgs_job_takes_as_long_as_an_unknown_id(client: Client, route: str) -> None:
    """I10: an answer that is the same to the byte and comes later would tell all the same."""
    job_id = client.complete(org="globex")
    share = _slower(_asking(client, route, job_id), _asking(client, route, unknown_id))
    assert _FAIR[0] <= share <= _FAIR[1]


def test_such_pairs_see_a_difference_where_there_is_one(client: Client) -> None:
    """The control: a job of one's own, which is read and shown, takes longer than an id that is none."""
    job_id = client.complete()
    assert _slower(_asking(client, "status", job_id), _asking(client, "status", unknown_id)) > _FAIR[1]
