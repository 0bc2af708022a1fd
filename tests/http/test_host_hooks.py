"""What a host may put in place of our parts: quotas, coroutines, a document store of its own."""

import asyncio
import functools
import time
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from sqlalchemy import create_engine, text

from sqr_jobs import Caller, RateLimit, ReportJobs, Settings, User, build_report_jobs
from sqr_jobs.errors import ConfigurationError, DocumentsUnavailable
from sqr_jobs.ports import ProducedDocument
from tests.host.reports import Report, people
from tests.http.clients import Client, Reply
from tests.http.conftest import Serve
from tests.http.logins import own_login

LARGE = RateLimit(requests=12, window_s=60)


def _serving(serve: Serve, *, mount: dict[str, Any] | None = None, **parts: Any) -> Client:
    def factory() -> ReportJobs:
        return build_report_jobs(Settings(), **{"users": people, "templates": [Report()], **parts})

    return serve(factory, **(mount or {}))


def _quota_of(caller: Caller) -> RateLimit | None:
    return LARGE if caller.org_id == "globex" else None


def test_an_org_may_have_a_quota_of_its_own(serve: Serve) -> None:
    """Who pays for more gets more; everyone else keeps the settings' limit."""
    client = _serving(serve, choose_rate_limit=_quota_of)
    replies = [client.post({"userId": f"U-{number}"}, org="globex") for number in range(13)]
    assert [reply.status for reply in replies] == [202] * 12 + [429]
    assert {reply.headers["ratelimit-policy"] for reply in replies} == {'"org";q=12;w=60'}
    assert 1 <= int(replies[-1].headers["retry-after"]) <= 60
    others = [client.post({"userId": f"U-{number}"}) for number in range(11)]
    assert [reply.status for reply in others] == [202] * 10 + [429]
    assert others[0].headers["ratelimit-policy"] == '"org";q=10;w=600'


def test_the_ceiling_in_the_database_follows_the_org_s_quota(serve: Serve) -> None:
    """A limiter that forgets must not let through what the quota does not, nor refuse what it does."""
    client = _serving(serve, choose_rate_limit=_quota_of)
    client.system.limiter = _NoLimit()
    statuses = [client.post({"userId": f"U-{number}"}, org="globex").status for number in range(13)]
    assert statuses == [202] * 12 + [429]
    assert [client.post({"userId": f"U-{n}"}).status for n in range(11)] == [202] * 10 + [429]


def test_the_quota_is_asked_for_once_per_creation_and_at_once(serve: Serve) -> None:
    """It may cost the host a query; and what it says today holds today."""
    quotas = [RateLimit(requests=1, window_s=600), RateLimit(requests=3, window_s=600)]
    asked: list[str] = []

    def choose(caller: Caller) -> RateLimit:
        asked.append(caller.org_id)
        return quotas[0]

    client = _serving(serve, choose_rate_limit=choose)
    began = time.time()
    with time_machine.travel(began, tick=False):
        assert [client.post({}).status for _ in range(2)] == [400, 429]
        assert asked == ["acme"] * 2
        quotas.pop(0)
        assert [client.post({"userId": f"U-{n}"}).status for n in range(3)] == [202, 202, 429]


def test_a_quota_that_is_none_is_told_to_whoever_runs_the_service(serve: Serve) -> None:
    """A number in place of a `RateLimit` is a mistake in the host's code, never a limit of its own kind."""
    client = _serving(serve, choose_rate_limit=lambda _caller: 5)
    assert client.post({"userId": "U-1"}).status == 500
    with pytest.raises(ConfigurationError, match=r"choose_rate_limit returned int\. Return a RateLimit"):
        client.system.rate_limit(Caller(org_id="acme"))


def test_a_quota_out_of_reach_is_an_outage(serve: Serve) -> None:
    """The host looks quotas up in its database; that it is down is no fault of the request."""
    gone = create_engine("sqlite:////no/such/folder/quotas.db")

    def choose(_caller: Caller) -> RateLimit:
        with gone.connect():
            raise AssertionError

    reply = _serving(serve, choose_rate_limit=choose).post({"userId": "U-1"})
    assert (reply.status, reply.code) == (503, "SERVICE_UNAVAILABLE")


@pytest.mark.parametrize("query", ["SELECT quota FROM a_table_that_is_not_there", "SELECT 1 WHERE 1 = 0"])
def test_a_wrong_query_of_the_host_s_is_no_outage(serve: Serve, query: str) -> None:
    """Waiting does not help, and nobody should look for what is wrong with our tables."""

    def choose(_caller: Caller) -> RateLimit:
        with client.system.database.engine.connect() as connection:
            return RateLimit(requests=connection.execute(text(query)).scalar_one(), window_s=60)

    client = _serving(serve, choose_rate_limit=choose)
    reply = client.post({"userId": "U-1"})
    assert (reply.status, reply.code) == (500, "INTERNAL_ERROR")


@pytest.mark.parametrize("numbers", [(0, 600), (10, 0), (-1, 600)])
def test_a_limit_that_nobody_could_keep_is_refused(numbers: tuple[int, int]) -> None:
    """A quota of nothing is said by `may_report`, not by a rate."""
    with pytest.raises(ValueError, match="at least 1"):
        RateLimit(requests=numbers[0], window_s=numbers[1])


class _NoLimit:
    def hit(self, org_id: str, limit: RateLimit) -> Any:
        from sqr_jobs.ports import Quota

        return Quota(allowed=True, limit=limit.requests, window_s=limit.window_s, remaining=1, reset_s=1)


class _AsyncPeople:
    """The sample host's people, reached by an event loop."""

    def __init__(self) -> None:
        self.loops: list[asyncio.AbstractEventLoop] = []

    async def find(self, user_id: str) -> User | None:
        await self._reach()
        return people.find(user_id)

    async def may_report(self, caller: Caller, user: User) -> bool:
        await self._reach()
        return people.may_report(caller, user)

    async def _reach(self) -> None:
        await asyncio.to_thread(lambda: None)
        self.loops.append(asyncio.get_running_loop())


def test_a_directory_of_coroutines_is_awaited_at_create_and_at_each_url(serve: Serve) -> None:
    """An answer that nobody awaited would be true, whatever it says."""
    client = _serving(serve, users=_AsyncPeople())
    assert client.post({"userId": "NOBODY"}).code == "USER_NOT_FOUND"
    assert client.post({"userId": "U-STRANGER"}).code == "USER_NOT_PERMITTED"
    job_id = client.create("U-1")
    client.work(job_id)
    assert client.url(job_id).status == 200
    people.not_permitted.add("U-1")
    assert client.url(job_id).code == "USER_NOT_PERMITTED"


@pytest.mark.needs("fastapi")
def test_under_fastapi_the_coroutines_run_on_the_host_s_own_loop(serve_on: Serve) -> None:
    """Its connections belong to that loop: on another one they fail in strange ways."""
    users = _AsyncPeople()
    login = own_login("fastapi", style="async", seen=users.loops)
    client = _serving(functools.partial(serve_on, "fastapi"), users=users, mount={"caller": login})
    headers = {"X-Org": "acme"}
    reply: Reply = client.request("POST", client.path, headers=headers, json={"userId": "U-1"})
    assert reply.status == 202
    assert len(users.loops) == 3
    assert len(set(users.loops)) == 1


def test_coroutines_asked_for_on_the_loop_itself_say_where_to_ask(serve: Serve) -> None:
    """The loop would wait for itself; the sentence names the call that helps."""
    client = _serving(serve, users=_AsyncPeople())

    async def create_on_the_loop() -> None:
        client.reports.create(Caller(org_id="acme"), user_id="U-1")

    with pytest.raises(ConfigurationError, match="run_in_threadpool"):
        asyncio.run(create_on_the_loop())


class _Shelf:
    """A document store in a dictionary, whose URLs lead to a server of the host's."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.is_up = True

    def put(self, key: str, document: ProducedDocument, *, until: Callable[[], float]) -> None:
        if not self.is_up:
            raise DocumentsUnavailable("The shelf is out of reach.")
        assert until() > 0
        self.objects[key] = document.file.read()

    def holds(self, key: str, *, size: int) -> bool:
        return len(self.objects.get(key, b"")) == size

    def url(self, key: str, *, filename: str, expires_s: int, origin: str) -> str:
        return f"https://shelf.example/{key}?as={filename}&for={expires_s}"

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)


@pytest.fixture
def shelf() -> _Shelf:
    return _Shelf()


def test_documents_may_lie_in_a_store_of_the_host_s(serve: Serve, shelf: _Shelf) -> None:
    """Not everyone has a bucket: the port is small, and the endpoints ask nothing else of it."""
    client = _serving(serve, documents=shelf)
    job_id = client.create("U-1")
    client.work(job_id)
    status = client.status(job_id).json()
    assert status["status"] == "COMPLETE"
    ((key, content),) = shelf.objects.items()
    assert len(content) == status["sizeBytes"]
    url = client.url(job_id).json()["url"]
    assert url.startswith(f"https://shelf.example/{key}?as=SQR_")
    assert url.endswith("&for=300")
    shelf.objects.clear()
    assert client.url(job_id).code == "DOCUMENT_GONE"


def test_a_store_of_the_host_s_that_serves_no_links_leaves_none_open(serve: Serve, shelf: _Shelf) -> None:
    """The route of the local folder's files answers as to a bad link."""
    client = _serving(serve, documents=shelf)
    assert client.request("GET", f"{client.path}/files/document?key=x").status == 403
