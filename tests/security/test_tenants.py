"""Two orgs, each scope, each route, each state of a job: who gets what, and what a stranger can tell."""

import itertools
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import select

from sqr_jobs.adapters.sql.tables import audit, job
from sqr_jobs.web import FILES_PATH
from tests.host import reports as host
from tests.host.tokens import bearer
from tests.http.clients import Client, Reply
from tests.http.conftest import Serve
from tests.http.situations import unknown_id
from tests.security.job_states import NEEDED, OWED, ROUTES, SCOPES, STATES, bring_into, unscoped

pytestmark = [pytest.mark.both_forms, pytest.mark.parametrize("state", STATES)]

_ORGS = ("acme", "globex")
_EVERYWHERE = {
    "cancel_route": True,
    "create_scope": SCOPES["create"],
    "read_scope": SCOPES["read"],
    "rate_limit": 1_000,
}


@pytest.fixture
def client(serve: Serve) -> Client:
    """Give a client of a service with every route mounted, every scope asked for and no limit in the way."""
    return serve(**_EVERYWHERE)


def _rows(client: Client) -> list[Any]:
    with client.system.database.read() as connection:
        tables = [connection.execute(select(table)).all() for table in (job, audit)]
    return [tuple(row) for table in tables for row in table]


def _file_path(client: Client, key: str) -> str:
    """Write the path of a link as someone does who has the service's code and not its key."""
    fields = {"key": key, "filename": "x", "expires": "99999999999", "signature": "0" * 64}
    return f"{client.path}{FILES_PATH}?{urlencode(fields)}"


def _told(reply: Reply) -> str:
    """Write an answer as OWED writes it."""
    return f"{reply.status} {reply.code}" if reply.code else f"{reply.status}"


def _whole(reply: Reply, job_id: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """Give all that a client receives, but for the id that it sent itself."""
    headers = [(name, value.replace(job_id, "{id}")) for name, value in reply.headers.items()]
    return reply.status, headers, reply.body.replace(job_id.encode(), b"{id}")


def test_another_orgs_job_is_to_the_byte_what_an_unknown_id_is(client: Client, state: str) -> None:
    """I10: no answer tells that it exists or how it stands, and no request changes it."""
    jobs = {org: bring_into(client, state, org=org) for org in _ORGS}
    before = _rows(client)
    for owner, other in itertools.permutations(_ORGS):
        job_id, user_id = jobs[owner]
        for name in ("status", "url", "cancel"):
            for scope in SCOPES.values():
                headers = bearer(other, scope=scope)
                foreign = ROUTES[name].ask(client, job_id, user_id, headers)
                unknown = ROUTES[name].ask(client, unknown_id, user_id, headers)
                assert _whole(foreign, job_id) == _whole(unknown, unknown_id), (name, scope)
                if NEEDED[name] in scope.split():
                    assert _told(foreign) == "404 JOB_NOT_FOUND"
                else:
                    assert unscoped(foreign)
    assert _rows(client) == before


def test_another_orgs_job_is_in_nobodys_way(client: Client, state: str) -> None:
    """I10: were it counted as the active job on its person, a 409 would tell of it, with its id."""
    job_id, user_id = bring_into(client, state, org="globex")
    reply = ROUTES["create"].ask(client, job_id, user_id, bearer("acme", scope=SCOPES["both"]))
    assert reply.status == 202
    assert job_id not in f"{reply.headers}{reply.body!r}"


def test_the_jobs_own_org_gets_what_its_scope_is_for_and_nothing_else(client: Client, state: str) -> None:
    """The control of the refusals: with the right org and scope each route answers as the contract says."""
    for org in _ORGS:
        job_id, user_id = bring_into(client, state, org=org)
        for name, route in ROUTES.items():
            if name == "create" and OWED[state]["create"].startswith("409"):
                job_id, user_id = bring_into(client, state, org=org)  # the one before was just cancelled
            before = _rows(client)
            for scope in SCOPES.values():
                if NEEDED[name] not in scope.split():
                    assert unscoped(route.ask(client, job_id, user_id, bearer(org, scope=scope)))
            assert _rows(client) == before
            own = route.ask(client, job_id, user_id, bearer(org, scope=NEEDED[name]))
            assert _told(own) == OWED[state][name], name


def test_a_link_that_was_not_issued_opens_nothing_whoever_asks(client: Client, state: str) -> None:
    """I10: the file route knows no orgs, the link is the right: no token and no known key makes up for it."""
    job_id, _ = bring_into(client, state, org="globex")
    found = client.system.intake.find("globex", job_id)
    key = found.document.key if found is not None and found.document is not None else f"{job_id}/1-0.pdf"
    refusals = [
        _whole(client.request("GET", _file_path(client, named), headers=headers), job_id)
        for named in (key, key.replace(job_id, unknown_id), unknown_id)
        for headers in ({}, *(bearer(org, scope=SCOPES["both"]) for org in _ORGS))
    ]
    assert refusals[0][0] == 403
    assert refusals == [refusals[0]] * len(refusals)


def test_a_link_is_issued_to_the_jobs_own_org_and_while_there_is_a_document(
    client: Client, state: str
) -> None:
    """The control of these refusals: what is issued opens the document, and nobody else is told of a link."""
    job_id, user_id = bring_into(client, state, org="globex")
    issued = {}
    for org in _ORGS:
        reply = ROUTES["url"].ask(client, job_id, user_id, bearer(org, scope=SCOPES["both"]))
        if reply.status == 200:
            issued[org] = client.follow(reply.json()["url"]).status
        else:
            assert b"http" not in reply.body
    assert issued == ({"globex": 200} if state == "COMPLETE" else {})


def test_a_right_that_was_revoked_closes_whatever_names_the_person(client: Client, state: str) -> None:
    """I11: from that moment on no URL is issued and nothing is begun, however the job stands."""
    job_id, user_id = bring_into(client, state, org="acme")
    headers = bearer("acme", scope=SCOPES["both"])
    host.people.not_permitted = {*host.people.not_permitted, user_id}
    before = _rows(client)
    url = ROUTES["url"].ask(client, job_id, user_id, headers)
    assert _told(url) == ("404 JOB_NOT_FOUND" if state == "erased" else "403 USER_NOT_PERMITTED")
    assert b"http" not in url.body
    assert _told(ROUTES["create"].ask(client, job_id, user_id, headers)) == "403 USER_NOT_PERMITTED"
    assert _rows(client) == before
