"""Whether the time of an answer tells what its bytes do not, on either kind of database.

Measured at the endpoints, below the frameworks: those only translate, and their own noise would hide a
difference. Through FastAPI a job that is read and shown is the slower one in 58 of 100 pairs, here in 85.
"""

import gc
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sqr_jobs.web import HttpRequest
from tests.host.tokens import bearer
from tests.http.clients import Client
from tests.http.conftest import FRAMEWORKS, Serve
from tests.http.situations import unknown_id
from tests.security.job_states import bring_into

_STATES = ("QUEUED", "COMPLETE", "FAILED", "expired", "erased")
_ROUTES = ("status", "download_url", "cancel")

_PAIRS, _MORE_PAIRS = 200, 1_600
_FAIR = (0.4, 0.6)
"""Of fair pairs one half is slower on either side: 0.035 up or down in the first look, 0.013 in the second.

What looks unfair, as one fair look in 200 does, is looked at again: these bounds are then eight times as wide
as chance. A database's own look-up of a row that is there stays within them: a microsecond on SQLite, of 170.
"""

Ask = Callable[[], object]


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


def _asking(client: Client, route: str, job_id: str) -> Ask:
    path = f"{client.path}/{job_id}" + ("/url" if route == "download_url" else "")
    headers = {name.lower(): value for name, value in bearer("acme").items()}
    request = HttpRequest(path=path, origin="http://reports.example", headers=headers, body=b"")
    endpoint = getattr(client.system.endpoints, route)
    return lambda: endpoint(request, job_id)


def _slower(one: Ask, other: Ask) -> float:
    """Say in which share of pairs `one` took longer than `other`; what looks unfair is looked at again."""
    for _ in range(20):
        one(), other()
    share = _share(one, other, _PAIRS)
    return share if _is_fair(share) else _share(one, other, _MORE_PAIRS)


def _share(one: Ask, other: Ask, pairs: int) -> float:
    """Ask both, one right after the other: a busy machine slows both of a pair."""

    def took(what: Ask) -> float:
        began = time.perf_counter()
        what()
        return time.perf_counter() - began

    slower = 0
    for number in range(pairs):
        if number % 2:  # whoever comes second finds warmer caches
            first, second = took(one), took(other)
        else:
            second, first = took(other), took(one)
        slower += first > second
    return slower / pairs


def _is_fair(share: float) -> bool:
    return _FAIR[0] <= share <= _FAIR[1]


@pytest.mark.both_forms
@pytest.mark.parametrize("state", _STATES)
def test_another_orgs_job_takes_as_long_as_an_unknown_id(client: Client, state: str) -> None:
    """I10: an answer that is the same to the byte and comes later would tell all the same."""
    job_id, _ = bring_into(client, state, org="globex")
    for route in _ROUTES:
        share = _slower(_asking(client, route, job_id), _asking(client, route, unknown_id))
        assert _is_fair(share), (route, share)


@pytest.mark.both_forms
def test_such_pairs_see_a_job_that_is_read_and_shown(client: Client) -> None:
    """The control: a job of one's own takes longer than an id that is none."""
    own, unknown = (_asking(client, "status", job_id) for job_id in (client.complete(), unknown_id))
    # A busy machine hides a difference now and then, so one of three looks must see it.
    assert any(_share(own, unknown, 2 * _PAIRS) > _FAIR[1] for _ in range(3))


@pytest.mark.both_forms
def test_such_pairs_see_an_org_that_is_checked_afterwards(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The leak that is meant: the row is found and read, and only then it turns out whose it is."""
    job_id = client.complete(org="globex")
    find = client.system.intake.find

    def checked_afterwards(org_id: str, asked_id: str) -> Any:
        found = find("globex", asked_id)
        return found if found is not None and found.org_id == org_id else None

    monkeypatch.setattr(client.system.intake, "find", checked_afterwards)
    foreign, unknown = (_asking(client, "status", named) for named in (job_id, unknown_id))
    # A busy machine hides a difference now and then, so one of three looks must see it.
    assert any(_share(foreign, unknown, 2 * _PAIRS) > _FAIR[1] for _ in range(3))
