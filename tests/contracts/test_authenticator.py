"""What every authenticator promises: a caller for a token that holds, and one refusal for every other."""

import base64
import json
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import jwt
import pytest

from sqr_jobs import Caller
from sqr_jobs.adapters import jwt_authenticator
from sqr_jobs.errors import Unauthenticated
from sqr_jobs.ports import Authenticator
from tests.contracts.issuers import (
    AUDIENCE,
    ISSUER,
    SHARED_SECRET,
    Issuer,
    ec_key,
    pem,
    rsa_key,
    serve,
)

TRUST = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE}


@pytest.fixture(scope="module", params=["HS256", "RS256", "ES256", "JWKS RS256", "JWKS ES256"])
def issuer(request: pytest.FixtureRequest) -> Iterator[Issuer]:
    """Give an issuer of each kind."""
    key = {"HS256": SHARED_SECRET, "RS256": rsa_key(), "ES256": ec_key()}
    algorithm = request.param.removeprefix("JWKS ")
    if request.param.startswith("JWKS"):
        with serve() as served:
            kid = "rsa-1" if algorithm == "RS256" else "ec-1"
            trust = {"jwt_jwks_url": served.url, **TRUST}
            yield Issuer(algorithm=algorithm, key=key[algorithm], kid=kid, settings=trust)
        return
    trusted = SHARED_SECRET if algorithm == "HS256" else pem(key[algorithm])
    trust = {"jwt_key": trusted, "jwt_algorithms": algorithm, **TRUST}
    yield Issuer(algorithm=algorithm, key=key[algorithm], settings=trust)


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def _refused(authenticator: Authenticator, token: str) -> Unauthenticated:
    with pytest.raises(Unauthenticated) as caught:
        authenticator.authenticate(_bearer(token))
    assert caught.value.token_sent
    assert str(caught.value) == "Send a valid access token: Authorization: Bearer <token>."
    return caught.value


def _encoded(part: object) -> str:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_a_token_that_holds_tells_the_caller(issuer: Issuer) -> None:
    """The org is whose jobs are seen, the scopes what may be done with them."""
    token = issuer.token(org="acme", scope="reports:read reports:create", client_id="web")
    assert issuer.authenticator().authenticate(_bearer(token)) == Caller(
        org_id="acme", client_id="web", scopes=frozenset({"reports:read", "reports:create"})
    )


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_the_schemes_spelling_is_free(issuer: Issuer, scheme: str) -> None:
    """RFC 9110: schemes are compared without case."""
    header = {"authorization": f"{scheme} {issuer.token()}"}
    assert issuer.authenticator().authenticate(header).org_id == "acme"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer  "},
        {"authorization": "Basic YTpi"},
        {"authorization": "a.b.c"},
        {"x-authorization": "Bearer a.b.c"},
    ],
    ids=str,
)
def test_a_request_without_a_bearer_token_is_told_so(issuer: Issuer, headers: dict[str, str]) -> None:
    """RFC 6750: `error="invalid_token"` is for those who sent one."""
    with pytest.raises(Unauthenticated) as caught:
        issuer.authenticator().authenticate(headers)
    assert not caught.value.token_sent


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": 99_999_999_999},
        {"iss": "https://another.example"},
        {"iss": None},
        {"iss": [ISSUER]},
        {"aud": "another"},
        {"aud": None},
        {"org": None},
        {"org": ""},
        {"org": 7},
        {"org": ["acme"]},
        {"org": "a\nb"},
        {"org": "a\x00"},
        {"org": "x" * 256},
    ],
    ids=str,
)
def test_a_token_whose_claims_do_not_hold_is_refused(issuer: Issuer, claims: dict[str, Any]) -> None:
    """I10: who speaks, for whom, to whom and until when must all be said and all be right."""
    _refused(issuer.authenticator(), issuer.token(**claims))


def test_a_token_is_refused_from_its_expiry_on_but_for_the_configured_leeway(issuer: Issuer) -> None:
    """Clocks differ, by as much as the operator says and no more."""
    over = issuer.token(exp=int(time.time()) - 60)
    _refused(issuer.authenticator(), over)
    assert issuer.authenticator(jwt_leeway_s=300).authenticate(_bearer(over)).org_id == "acme"


def test_a_token_of_another_key_is_refused(issuer: Issuer) -> None:
    """I10: anyone can write a token; only the issuer can sign it."""
    other = {"HS256": "x" * 64, "RS256": rsa_key("theirs"), "ES256": ec_key("theirs")}[issuer.algorithm]
    _refused(issuer.authenticator(), issuer.token(key=other))


def test_a_token_that_was_changed_is_refused(issuer: Issuer) -> None:
    """I10: the org that was signed is the org that speaks."""
    header, payload, signature = issuer.token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    authenticator = issuer.authenticator()
    _refused(authenticator, f"{header}.{_encoded({**claims, 'org': 'other'})}.{signature}")
    _refused(authenticator, f"{header}.{payload}.")
    _refused(authenticator, f"{header}.{payload}.{signature[:-8]}AAAAAAAA")


def test_a_token_without_a_signature_is_refused(issuer: Issuer) -> None:
    """`alg: none`, in any spelling, is the oldest trick there is."""
    authenticator = issuer.authenticator()
    payload = issuer.token().split(".")[1]
    for name in ("none", "None", "NONE", "", None):
        _refused(authenticator, f"{_encoded({'alg': name, 'typ': 'JWT', 'kid': issuer.kid})}.{payload}.")


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(issuer: Issuer) -> None:
    """Key confusion: a public key is public, so as an HS256 secret it proves nothing."""
    text = pem(rsa_key() if issuer.algorithm == "RS256" else ec_key())
    signing_input = ".".join(
        [_encoded({"alg": "HS256", "typ": "JWT", "kid": issuer.kid}), issuer.token().split(".")[1]]
    )
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = algorithm.sign(signing_input.encode(), text.encode())
    _refused(issuer.authenticator(), f"{signing_input}.{_encoded(signature)}")


@pytest.mark.parametrize("header", ["jku", "x5u", "jwk", "x5c"])
def test_a_key_that_the_token_brings_along_is_not_looked_at(issuer: Issuer, header: str) -> None:
    """The keys come from the configuration: an attacker's own would prove anything."""
    stranger = {"HS256": "x" * 64, "RS256": rsa_key("theirs"), "ES256": ec_key("theirs")}[issuer.algorithm]
    with serve() as theirs:
        value = {
            "jku": theirs.url,
            "x5u": theirs.url,
            "jwk": {"kty": "oct", "k": "eA"},
            "x5c": ["AAAA"],
        }[header]
        authenticator = issuer.authenticator()
        _refused(authenticator, issuer.token(key=stranger, header={header: value}))
        assert authenticator.authenticate(_bearer(issuer.token(header={header: value}))).org_id == "acme"
        assert theirs.asked == 0


@pytest.mark.parametrize(
    "token",
    [
        "x",
        ".",
        "..",
        "a.b.c",
        "\u00e9.\u00e9.\u00e9",
        "a b c",
        "e30.e30.e30",
        "x" * 16_385,
        _encoded(b"[" * 9_000) + ".e30.x",
        _encoded({"alg": ["RS256"]}) + ".e30.x",
        _encoded({"alg": {}}) + ".e30.x",
        _encoded({"alg": "RS256", "kid": []}) + ".e30.x",
        _encoded({"alg": "RS256", "kid": {"a": 1}}) + ".e30.x",
        _encoded({"alg": "RS256", "crit": ["b64"], "b64": False}) + "..x",
        _encoded({"alg": "HS256"}) + "." + _encoded(b"\xff") + ".x",
        _encoded([1]) + ".e30.x",
        _encoded(b'{"alg":"RS256","kid":"' + b"9" * 5000 + b'"}') + ".e30.x",
        _encoded(b'{"alg":"RS256","n":' + b"9" * 5000 + b"}") + ".e30.x",
    ],
    ids=lambda token: ascii(token)[:24],
)
def test_whatever_is_sent_as_a_token_is_refused_and_never_an_error(issuer: Issuer, token: str) -> None:
    """Anyone may send anything here: a fault of ours would be an answer 500 and a stack in the log."""
    refusal = _refused(issuer.authenticator(), token)
    assert len(refusal.reason) < 300
    assert refusal.reason.isascii()


def test_a_token_that_is_too_long_is_refused_before_it_is_read(issuer: Issuer) -> None:
    """A megabyte of base64 costs its sender nothing and must cost us nothing."""
    _refused(issuer.authenticator(), issuer.token(padding="x" * 20_000))
    assert issuer.authenticator().authenticate(_bearer(issuer.token(padding="x" * 8_000))).org_id == "acme"


def test_the_claims_that_name_org_and_scopes_are_the_configured_ones(issuer: Issuer) -> None:
    """Every issuer has its own words for them; scopes come as a text or as a list."""
    authenticator = issuer.authenticator(jwt_org_claim="tenant", jwt_scope_claim="scp")
    token = issuer.token(org="wrong", tenant="right", scope="wrong", scp=["a", "b", 3])
    caller = authenticator.authenticate(_bearer(token))
    assert (caller.org_id, caller.scopes) == ("right", frozenset({"a", "b"}))
    _refused(authenticator, issuer.token(org="wrong"))


@pytest.mark.parametrize(
    ("claims", "client"), [({"azp": "a", "sub": "s"}, "a"), ({"sub": "s"}, "s"), ({}, "")], ids=str
)
def test_the_clients_own_id_is_told_where_the_token_tells_it(
    issuer: Issuer, claims: dict[str, Any], client: str
) -> None:
    """For the host's own permissions and logs; nothing here depends on it."""
    assert issuer.authenticator().authenticate(_bearer(issuer.token(**claims))).client_id == client


def test_a_strict_service_asks_for_all_that_makes_an_access_token(issuer: Issuer) -> None:
    """RFC 9068: an identity token, signed by the same key for another purpose, must not open this door."""
    authenticator = issuer.authenticator(jwt_strict=True)
    whole = {"sub": "s", "client_id": "c", "iat": int(time.time()) - 1, "jti": "1"}
    for kind in ("at+jwt", "application/at+jwt", "AT+JWT"):
        token = issuer.token(header={"typ": kind}, **whole)
        assert authenticator.authenticate(_bearer(token)).client_id == "c"
    _refused(authenticator, issuer.token(header={"typ": "JWT"}, **whole))
    for missing in ("iss", "aud", "exp", *whole):
        _refused(authenticator, issuer.token(header={"typ": "at+jwt"}, **{**whole, missing: None}))


@pytest.mark.parametrize("kind", ["JWT", "jwt", "application/jwt", "at+jwt", "AT+JWT", "application/at+jwt"])
def test_a_token_that_says_it_is_a_jwt_or_an_access_token_is_let_in(issuer: Issuer, kind: str) -> None:
    """RFC 7519 recommends the one, RFC 9068 the other; the part before the slash may be left out."""
    for token in (issuer.token(header={"typ": kind}), issuer.verbatim()):  # the second says nothing
        assert issuer.authenticator().authenticate(_bearer(token)).org_id == "acme"


@pytest.mark.parametrize("kind", ["id+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt", "", 7, ["JWT"], None])
def test_a_token_that_says_it_is_for_something_else_is_refused(issuer: Issuer, kind: object) -> None:
    """RFC 8725: one key signs tokens for many purposes, and each must serve its own alone."""
    _refused(issuer.authenticator(), issuer.verbatim(header=f'"typ": {json.dumps(kind)}, '))


@pytest.mark.parametrize(
    "twice",
    [
        {"header": '"alg": "none", '},
        {"header": '"typ": "id+jwt", "typ": "JWT", '},
        {"header": '"note": [{"a": 1, "a": 2}], '},
        {"payload": ', "org": "globex"'},
        {"payload": ', "\\u006frg": "globex"'},
        {"payload": ', "exp": 99999999999'},
        {"payload": ', "act": {"sub": "a", "sub": "b"}'},
    ],
    ids=str,
)
def test_a_token_that_names_a_member_twice_is_refused(issuer: Issuer, twice: dict[str, str]) -> None:
    """Two readers might take different ones: a gateway in front the first org, the service the last."""
    _refused(issuer.authenticator(), issuer.verbatim(**twice))


def test_a_name_may_stand_once_in_each_of_several_objects(issuer: Issuer) -> None:
    """The control for the refusals above: who acts for whom (RFC 8693) has a `sub` of its own."""
    token = issuer.verbatim(payload=', "sub": "a", "act": {"sub": "b", "act": {"sub": "c"}}, "x": [{}, {}]')
    assert issuer.authenticator().authenticate(_bearer(token)).client_id == "a"


def test_a_token_that_only_the_second_reading_finds_too_deep_is_refused(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read for what stands in it and for what stands twice, and either may meet the stack's end."""

    def loads(*_part: object, **_hooks: object) -> object:
        raise RecursionError

    monkeypatch.setattr(jwt_authenticator, "json", SimpleNamespace(loads=loads))
    _refused(issuer.authenticator(), issuer.token())
