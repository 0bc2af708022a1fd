"""A host's own login in place of our token check."""

from collections.abc import Mapping

import pytest

from sqr_jobs import Caller, ReportJobs, Settings, build_report_jobs
from sqr_jobs.errors import Unauthenticated
from tests.host.reports import Report, people
from tests.host.tokens import bearer
from tests.http.clients import JSON, Client, Reply, Stream
from tests.http.conftest import Serve
from tests.http.logins import own_login
from tests.http.situations import unknown_id

_NO_KEYS = {"jwt_key": None, "jwt_algorithms": None}


class _Keys:
    """An `Authenticator` that knows one key."""

    def authenticate(self, headers: Mapping[str, str]) -> Caller:
        if headers.get("x-key") != "good":
            raise Unauthenticated("no key", token_sent="x-key" in headers)
        return Caller(org_id="acme")


@pytest.fixture(params=["callable", "depends", "async"])
def host(request: pytest.FixtureRequest, serve: Serve, framework: str) -> Client:
    """Give a client of a host with a login of its own and no keys to judge tokens by."""
    return serve(caller=own_login(framework, style=request.param), **_NO_KEYS)


def _create(client: Client, user_id: str = "U-1", **headers: str) -> Reply:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.request("POST", client.path, headers=sent, json={"userId": user_id})


def test_its_callers_are_ours(host: Client) -> None:
    """All three endpoints work under it, and the org is the one that it says."""
    job_id = _create(host, X_Org="globex").json()["jobId"]
    host.work(job_id)
    assert people.asked[-1] == "may_report globex U-1"
    for below, status in (("", 200), ("/url", 200)):
        path = f"{host.path}/{job_id}{below}"
        assert host.request("GET", path, headers={"X-Org": "globex"}).status == status
        assert host.request("GET", path, headers={"X-Org": "acme"}).status == 404


def test_its_refusal_is_the_host_s_own(host: Client) -> None:
    """Who is refused by the host's login sees the host's answer, and nothing of ours runs."""
    host.keeps_contract = False
    assert _create(host).status == 418
    for below in ("", "/url"):
        assert host.request("GET", f"{host.path}/{unknown_id}{below}").status == 418
    assert people.asked == []


def test_its_refusal_comes_before_the_body_is_read(host: Client) -> None:
    """A stranger's slow body holds no thread of the host's."""
    host.keeps_contract = False
    body = Stream(b" " for _ in range(100))
    assert host.stream(host.path, JSON, body, length=100).status == 418
    assert body.taken == 0


def test_a_token_of_ours_opens_nothing_there(serve: Serve, framework: str) -> None:
    """The login replaces the token check, even where keys are configured; it does not stand beside it."""
    client = serve(caller=own_login(framework))
    client.keeps_contract = False
    assert client.post({"userId": "U-1"}).status == 418


def test_its_bad_token_is_not_looked_at(host: Client) -> None:
    """The Authorization header belongs to the host's login."""
    assert _create(host, X_Org="acme", Authorization="Bearer whatever").status == 202


def test_configured_scopes_hold_for_its_callers_too(serve: Serve, framework: str) -> None:
    """A setting that asks for scopes must not be void because the login is another."""
    scopes = {"create_scope": "reports:create", "read_scope": "reports:read"}
    reader = own_login(framework, scopes=frozenset({"reports:read"}))
    client = serve(caller=reader, **scopes)
    assert _create(client, X_Org="acme").code == "INSUFFICIENT_SCOPE"
    path = f"{client.path}/{unknown_id}"
    assert client.request("GET", path, headers={"X-Org": "acme"}).code == "JOB_NOT_FOUND"


def test_the_order_of_the_other_checks_stays(host: Client) -> None:
    """Media type, size, rate and body are judged as under our own check."""
    headers = {"X-Org": "acme"}
    assert host.request("POST", host.path, headers=headers, content=b"{").status == 415
    assert host.request("POST", host.path, headers={**headers, **JSON}, content=b" " * 65_537).status == 413
    for _ in range(10):
        assert host.request("POST", host.path, headers={**headers, **JSON}, content=b"{").status == 400
    assert _create(host, X_Org="acme").status == 429


def test_the_link_needs_no_login(host: Client) -> None:
    """The signature is enough: a browser that follows it has no session with the host."""
    job_id = _create(host, X_Org="acme").json()["jobId"]
    host.work(job_id)
    url = host.request("GET", f"{host.path}/{job_id}/url", headers={"X-Org": "acme"}).json()["url"]
    assert host.follow(url).status == 200


def test_an_authenticator_of_the_host_s_takes_the_place_of_the_keys(serve: Serve) -> None:
    """The other way in: judge headers without a framework's help."""

    def factory() -> ReportJobs:
        return build_report_jobs(Settings(), users=people, templates=[Report()], authenticator=_Keys())

    client = serve(factory, **_NO_KEYS)
    assert _create(client, X_Key="good").status == 202
    assert _create(client, X_Key="bad").headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert _create(client, **bearer()).headers["www-authenticate"] == "Bearer"
