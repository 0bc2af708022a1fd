"""Who may ask: the token, and the scopes where a host wants them."""

import base64
import json
import time
from collections.abc import Callable

import jwt
import pytest
import time_machine

from tests.host.reports import KEY
from tests.host.tokens import bearer, token
from tests.http.clients import JSON, Client, Reply
from tests.http.conftest import Serve
from tests.http.situations import unknown_id

_ENDPOINTS = [("POST", ""), ("GET", f"/{unknown_id}"), ("GET", f"/{unknown_id}/url")]
_SCOPES = {"create_scope": "reports:create", "read_scope": "reports:read"}


def _signed(claims: dict[str, object], *, algorithm: str = "HS256", **header: object) -> str:
    return jwt.encode({"org": "acme", "exp": int(time.time()) + 600} | claims, KEY, algorithm, headers=header)


def _without(*names: str) -> str:
    claims = {"org": "acme", "exp": int(time.time()) + 600}
    return jwt.encode({name: value for name, value in claims.items() if name not in names}, KEY, "HS256")


def _unsigned(header: str) -> str:
    parts = [header, json.dumps({"org": "acme", "exp": int(time.time()) + 600}), "signature"]
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


def _tampered() -> str:
    head, _, signature = token().split(".")
    claims = json.dumps({"org": "globex", "exp": int(time.time()) + 600}).encode()
    return f"{head}.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.{signature}"


_BAD_TOKENS: dict[str, Callable[[], str]] = {
    "no token at all": lambda: "garbage",
    "empty parts": lambda: "..",
    "not base64": lambda: "a.b.c",
    "expired": lambda: token(expires_s=-1),
    "signed by someone else": lambda: token(key="another secret, which is long enough too"),
    "claims changed": _tampered,
    "unsigned": lambda: _unsigned('{"alg":"none"}') + "",
    "other algorithm": lambda: _signed({}, algorithm="HS384"),
    "algorithm of a wrong type": lambda: _unsigned('{"alg":["HS256"]}'),
    "bottomless header": lambda: _unsigned('{"alg":"HS256","x":' + "[" * 9_000),
    "header is no object": lambda: _unsigned("[]"),
    "unknown critical header": lambda: _signed({}, crit=["odd"], odd=1),
    "no expiry": lambda: _without("exp"),
    "endless expiry": lambda: _signed({"exp": float("inf")}),
    "expiry is no number": lambda: _signed({"exp": "tomorrow"}),
    "not yet valid": lambda: _signed({"nbf": int(time.time()) + 600}),
    "no org": lambda: _without("org"),
    "empty org": lambda: token(org=""),
    "org is a number": lambda: _signed({"org": 7}),
    "org is a list": lambda: _signed({"org": ["acme", "globex"]}),
    "org with a line break": lambda: token(org="acme\nglobex"),
    "org too long": lambda: token(org="a" * 256),
    "far too long": lambda: token(padding="x" * 20_000),
    "other letters": lambda: "tök.en.ü",
}


def _ask(client: Client, method: str, path: str, authorization: str | None) -> Reply:
    headers = {**JSON} if method == "POST" else {}
    if authorization is not None:
        headers["Authorization"] = authorization
    content = b'{"userId":"U-1"}' if method == "POST" else None
    return client.request(method, client.path + path, headers=headers, content=content)


@pytest.mark.parametrize("authorization", [None, "", "Basic YWNtZTpzZWNyZXQ=", "Bearer", "Bearer  ", "token"])
def test_a_request_without_a_token_is_told_the_scheme_and_no_error(
    shared_client: Client, authorization: str | None
) -> None:
    """RFC 6750: a client that sent no credentials gets no error code."""
    for method, path in _ENDPOINTS:
        reply = _ask(shared_client, method, path, authorization)
        assert (reply.status, reply.code) == (401, "UNAUTHENTICATED")
        assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("name", _BAD_TOKENS)
def test_a_bad_token_is_invalid_whatever_is_wrong_with_it(shared_client: Client, name: str) -> None:
    """Every way in which a token can be bad ends in the same refusal, never in a 500."""
    for method, path in _ENDPOINTS:
        reply = _ask(shared_client, method, path, f"Bearer {_BAD_TOKENS[name]()}")
        assert (reply.status, reply.code) == (401, "UNAUTHENTICATED")
        assert reply.headers["www-authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize(("method", "path"), _ENDPOINTS)
def test_the_body_of_a_401_never_says_why(shared_client: Client, method: str, path: str) -> None:
    """One who tries tokens must not learn how close they came: the bodies are the same to the byte."""
    bad = [f"Bearer {make()}" for make in _BAD_TOKENS.values()]
    bodies = {_ask(shared_client, method, path, authorization).body for authorization in [None, *bad]}
    assert len(bodies) == 1


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_name_of_the_scheme_may_be_written_in_any_case(client: Client, scheme: str) -> None:
    """RFC 9110: authentication schemes are compared without regard to case."""
    assert _ask(client, "POST", "", f"{scheme} {token()}").status == 202


def test_two_authorization_headers_are_no_token(client: Client) -> None:
    """A proxy and we must not read different ones: what is ambiguous is refused, whichever comes first."""
    good, bad = bearer()["Authorization"], f"Bearer {token(expires_s=-1)}"
    for pair in ((good, bad), (bad, good)):
        reply = client.request(
            "GET", f"{client.path}/{unknown_id}", headers=[("Authorization", value) for value in pair]
        )
        assert reply.status == 401


def test_a_token_that_expires_while_its_job_runs_is_refused_from_then_on(client: Client) -> None:
    """A job outlives the token that asked for it; reading needs one that still holds."""
    path = f"{client.path}/{client.create()}"
    now, headers = time.time(), bearer(expires_s=60)
    for seconds, status in ((58, 200), (61, 401)):
        with time_machine.travel(now + seconds, tick=False):
            assert client.request("GET", path, headers=headers).status == status


def test_scopes_are_not_asked_for_unless_the_host_configures_them(client: Client) -> None:
    """Most issuers know no scopes of ours."""
    assert client.post({"userId": "U-1"}, scope="").status == 202
    assert client.status(unknown_id, scope="something:else").status == 404


@pytest.mark.parametrize(
    ("scope", "create", "read"),
    [
        ("reports:create reports:read", 202, 404),
        ("reports:create", 202, 403),
        ("reports:read", 403, 404),
        ("other reports:read  reports:create more", 202, 404),
        ("reports:creates", 403, 403),
        ("REPORTS:CREATE REPORTS:READ", 403, 403),
        ("", 403, 403),
    ],
)
def test_configured_scopes_are_needed_each_for_its_own(
    serve: Serve, scope: str, create: int, read: int
) -> None:
    """A client that only reads must not be able to have reports made, and the other way round."""
    client = serve(**_SCOPES)
    assert client.post({"userId": "U-1"}, scope=scope).status == create
    assert client.status(unknown_id, scope=scope).status == read
    assert client.url(unknown_id, scope=scope).status == read


@pytest.mark.parametrize(
    "claims",
    [{}, {"scope": None}, {"scope": 7}, {"scope": {"reports:create": True}}, {"scope": [["reports:create"]]}],
)
def test_a_scope_claim_of_a_wrong_type_grants_nothing(serve: Serve, claims: dict[str, object]) -> None:
    """Whatever an issuer puts there, only a text that names the scope is one."""
    client = serve(**_SCOPES)
    assert client.post({"userId": "U-1"}, **claims).code == "INSUFFICIENT_SCOPE"


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        (*endpoint, need)
        for endpoint, need in zip(_ENDPOINTS, ["reports:create", "reports:read", "reports:read"], strict=True)
    ],
)
def test_a_missing_scope_is_named_in_the_challenge(serve: Serve, method: str, path: str, needed: str) -> None:
    """RFC 6750: the client learns which token to ask its issuer for."""
    reply = _ask(serve(**_SCOPES), method, path, f"Bearer {token()}")
    assert (reply.status, reply.code) == (403, "INSUFFICIENT_SCOPE")
    assert reply.headers["www-authenticate"] == f'Bearer error="insufficient_scope", scope="{needed}"'


def test_a_configured_issuer_and_audience_are_checked(serve: Serve) -> None:
    """A token that the same issuer made for another service must not open this one."""
    client = serve(jwt_issuer="https://issuer.example", jwt_audience="reports")
    good = {"iss": "https://issuer.example", "aud": "reports"}
    assert client.status(unknown_id, **good).status == 404
    assert client.status(unknown_id, **(good | {"aud": ["other", "reports"]})).status == 404
    for bad in ({"aud": "other"}, {"iss": "https://evil.example"}, {"aud": None}, {"iss": None}):
        claims = {name: value for name, value in (good | bad).items() if value is not None}
        assert client.status(unknown_id, **claims).status == 401


def test_the_claim_that_names_the_org_can_be_chosen(serve: Serve) -> None:
    """Issuers name the tenant differently."""
    client = serve(jwt_org_claim="tenant")
    job_id = client.post({"userId": "U-1"}, tenant="globex").json()["jobId"]
    assert client.status(job_id, tenant="globex").status == 200
    assert client.status(job_id, tenant="acme").status == 404
