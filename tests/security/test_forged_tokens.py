"""Forged tokens through both frameworks: one answer, one reason in the log, and nothing of the token."""

import logging
import time
from collections.abc import Iterator

import pytest
import time_machine

from tests.contracts.issuers import AUDIENCE, ISSUER, JwksServer, ec_key, jwk, rsa_key
from tests.contracts.issuers import serve as serve_keys
from tests.http.answered import written
from tests.http.clients import Client, Reply
from tests.http.conftest import Serve
from tests.http.situations import unknown_id
from tests.security.forgeries import FORGERIES, HONEST, PLAIN, genuine
from tests.security.job_states import ROUTES, Route

_TRUST = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "cancel_route": True, "jwt_key": None}
_REFUSED = 'Bearer error="invalid_token"'


@pytest.fixture(scope="module")
def issuer() -> Iterator[JwksServer]:
    """Give the trusted issuer's key set, whose keys name no algorithm: what is accepted is ours to say."""
    with serve_keys() as served:
        served.publish(jwk(rsa_key(), "rsa-1", None), jwk(ec_key(), "ec-1", None))
        yield served


@pytest.fixture(autouse=True)
def _time_stands_still() -> Iterator[None]:
    """Stop the clock, because an edge is a second wide and what is one second early would be in time."""
    with time_machine.travel(int(time.time()), tick=False):
        yield


@pytest.fixture(params=[False, True], ids=["as it comes", "strict"])
def strict(request: pytest.FixtureRequest) -> bool:
    """Say whether RFC 9068's form is asked for."""
    return bool(request.param)


@pytest.fixture
def client(serve: Serve, issuer: JwksServer, strict: bool) -> Client:
    """Give a client of a service that trusts this issuer."""
    return serve(**_TRUST, jwt_jwks_url=issuer.url, jwt_algorithms="RS256,ES256", jwt_strict=strict)


def _answer(path: str) -> tuple[tuple[tuple[str, str], ...], bytes]:
    """Write the refusal out, so that it is the same where one framework alone is tested."""
    body = (
        '{"type":"about:blank","title":"Authentication required","status":401,"code":"UNAUTHENTICATED",'
        '"detail":"Send a valid access token: Authorization: Bearer <token>.",'
        f'"instance":"{path}"}}'
    )
    headers = (
        ("content-type", "application/problem+json"),
        ("cache-control", "no-store"),
        ("www-authenticate", _REFUSED),
        ("content-length", str(len(body))),
    )
    return headers, body.encode()


def _ask(client: Client, route: Route, token: str) -> Reply:
    return route.ask(client, unknown_id, "U-1", {"Authorization": f"Bearer {token}"})


@pytest.fixture(params=ROUTES)
def route(request: pytest.FixtureRequest) -> Route:
    """Give each route."""
    return ROUTES[request.param]


def test_every_forgery_gets_the_same_401_to_the_byte(client: Client, route: Route, strict: bool) -> None:
    """Whoever tries tokens must not learn how close one came: not from a header, nor from a length."""
    assert len(FORGERIES) >= 25
    assert _ask(client, route, genuine()).status in (202, 404)  # the control
    answers = {}
    for name, forge in (FORGERIES | PLAIN if strict else FORGERIES).items():
        reply = _ask(client, route, forge())
        assert (reply.status, reply.headers["www-authenticate"]) == (401, _REFUSED), name
        answers[name] = (tuple(reply.headers.items()), reply.body)
    assert set(answers.values()) == {_answer(client.path + route.path.replace("{id}", unknown_id))}


def test_what_the_forgeries_are_beside_is_let_in(client: Client, strict: bool) -> None:
    """The control for all of them: at the edge of each rule stands a token that keeps it."""
    for name, forge in (HONEST if strict else HONEST | PLAIN).items():
        assert _ask(client, ROUTES["status"], forge()).status == 404, name


def test_the_log_has_a_reason_for_each_and_nothing_of_any(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """An operator must see why; whoever reads logs must find nothing to try, nor a line that was made up."""
    caplog.set_level(logging.DEBUG)
    reasons = set()
    for name, forge in FORGERIES.items():
        caplog.clear()
        token = forge()
        _ask(client, ROUTES["status"], token)
        said = [record.getMessage() for record in caplog.records if record.name == "sqr_jobs.web"]
        assert len(said) == 1, name
        assert said[0].isprintable()
        assert len(said[0]) < 300
        log = written(caplog.records)
        for part in ("CANARY", "globex", *(part for part in token.split(".") if len(part) > 7)):
            assert part not in log, name
        reasons.add(said[0])
    assert len(reasons) > 8


def test_no_forgery_reaches_a_job(client: Client) -> None:
    """I10: a 401 that had acted before it was written would still be a hole."""
    created = _ask(client, ROUTES["create"], genuine())
    job_id = created.json()["jobId"]
    for forge in FORGERIES.values():
        ROUTES["cancel"].ask(client, job_id, "U-1", {"Authorization": f"Bearer {forge()}"})
    own = {"Authorization": f"Bearer {genuine()}"}
    assert ROUTES["status"].ask(client, job_id, "U-1", own).json()["status"] == "PENDING"
