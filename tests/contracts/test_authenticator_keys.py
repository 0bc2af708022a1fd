"""What the keys behind the authenticator promise: the issuer's present ones, without a load on the issuer."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sqr_jobs import ConfigurationError, Settings
from sqr_jobs.adapters.jwt_authenticator import JwtAuthenticator
from sqr_jobs.adapters.signing_keys import JwksKeys
from sqr_jobs.errors import IdentityUnavailable, Unauthenticated
from sqr_jobs.ports import Authenticator
from sqr_jobs.wiring.parts import authenticator_for
from tests.contracts.issuers import Issuer, JwksServer, ec_key, jwk, pem, rsa_key, serve
from tests.contracts.sockets import silent_server
from tests.servers.ports import free_port


@pytest.fixture
def served() -> Iterator[JwksServer]:
    """Give an issuer's server with one RSA and one EC key."""
    with serve() as server:
        yield server


def _issuer(url: str, *, kid: str | None = "rsa-1", key: Any = None, algorithm: str = "RS256") -> Issuer:
    settings = {"jwt_jwks_url": url, "jwt_algorithms": "RS256,RS512,ES256"}
    return Issuer(algorithm=algorithm, key=key or rsa_key(), kid=kid, settings=settings)


def _org(authenticator: Authenticator, token: str) -> str:
    return authenticator.authenticate({"authorization": f"Bearer {token}"}).org_id


class _Set:
    """A key set that is published, withdrawn or out of reach, with a clock beside it."""

    def __init__(self, *keys: dict[str, str]) -> None:
        self.keys = list(keys)
        self.now = 1000.0
        self.asked = 0
        self.is_up = True
        self.fetch_takes_s = 0.0

    def fetch(self) -> object:
        self.asked += 1
        self.now += self.fetch_takes_s
        if not self.is_up:
            raise ConnectionRefusedError
        return {"keys": self.keys}

    def authenticator(self) -> Authenticator:
        return JwtAuthenticator(JwksKeys(self.fetch, now=lambda: self.now), algorithms=["RS256", "ES256"])


OLD, NEW = jwk(rsa_key("old"), "old", "RS256"), jwk(rsa_key("new"), "new", "RS256")
OLD_ISSUER = _issuer("http://unused.example", kid="old", key=rsa_key("old"))
NEW_ISSUER = _issuer("http://unused.example", kid="new", key=rsa_key("new"))


def test_a_key_set_is_fetched_once_for_many_tokens(served: JwksServer) -> None:
    """The issuer must not feel how many requests there are."""
    issuer = _issuer(served.url)
    authenticator = issuer.authenticator()
    assert served.asked == 0
    assert [_org(authenticator, issuer.token()) for _ in range(20)] == ["acme"] * 20
    assert served.asked == 1


def test_a_key_set_is_fetched_once_by_many_first_requests(served: JwksServer) -> None:
    """A process that just started gets its first requests all at once."""
    issuer, barrier = _issuer(served.url), threading.Barrier(16)
    authenticator = issuer.authenticator()

    def first(_number: int) -> str:
        barrier.wait(timeout=30)
        return _org(authenticator, issuer.token())

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(first, range(16))) == {"acme"}
    assert served.asked == 1


def test_unknown_keys_cannot_be_turned_into_load_on_the_issuer(served: JwksServer) -> None:
    """Anyone may send any kid: one more fetch in half a minute is what that gets."""
    issuer = _issuer(served.url)
    authenticator = issuer.authenticator()
    _org(authenticator, issuer.token())
    for number in range(30):
        with pytest.raises(Unauthenticated):
            _org(authenticator, issuer.token(header={"kid": f"unknown-{number}"}))
    assert served.asked <= 2


def test_a_token_without_a_kid_is_judged_by_the_only_key_that_fits(served: JwksServer) -> None:
    """Small issuers send none; with two keys there is no telling, so none is guessed."""
    issuer = _issuer(served.url, kid=None)
    assert _org(issuer.authenticator(), issuer.token()) == "acme"
    served.publish(OLD, NEW)
    with pytest.raises(Unauthenticated):
        _org(issuer.authenticator(), _issuer(served.url, kid=None, key=rsa_key("new")).token())


def test_a_key_is_used_for_its_own_algorithm_alone(served: JwksServer) -> None:
    """RFC 8725: the key's `alg` is part of the key; encryption keys and secrets sign nothing here."""
    rsa, ec = jwk(rsa_key(), "rsa-1", "RS256"), jwk(ec_key(), "ec-1", "ES256")
    secret = {"kty": "oct", "kid": "oct", "alg": "HS256", "k": "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4"}
    served.publish(rsa, ec, secret, {**jwk(rsa_key("enc"), "enc", "RS256"), "use": "enc"})
    wrong = [
        _issuer(served.url, kid="ec-1"),
        _issuer(served.url, kid="rsa-1", key=ec_key(), algorithm="ES256"),
        _issuer(served.url, kid="rsa-1", algorithm="RS512"),
        _issuer(served.url, kid="enc", key=rsa_key("enc")),
        _issuer(served.url, kid="oct", key="x" * 33, algorithm="HS256"),
    ]
    for issuer in wrong:
        with pytest.raises(Unauthenticated):
            _org(issuer.authenticator(), issuer.token())


@pytest.mark.parametrize("algorithm", ["RS256", "RS512"])
def test_a_key_that_names_no_algorithm_serves_each_configured_one_of_its_type(
    served: JwksServer, algorithm: str
) -> None:
    """RFC 7517: `alg` is optional, and large issuers leave it out."""
    served.publish(jwk(rsa_key(), "rsa-1", None))
    issuer = _issuer(served.url, algorithm=algorithm)
    assert _org(issuer.authenticator(), issuer.token()) == "acme"


def test_a_new_key_is_found_though_the_set_is_still_fresh() -> None:
    """An issuer that rotates its keys must not lock its clients out for minutes."""
    keys = _Set(OLD)
    authenticator = keys.authenticator()
    _org(authenticator, OLD_ISSUER.token())
    keys.keys = [OLD, NEW]
    keys.now += 31
    assert _org(authenticator, NEW_ISSUER.token()) == "acme"
    assert keys.asked == 2


def test_a_key_that_was_withdrawn_is_refused_after_five_minutes() -> None:
    """A key is withdrawn because it leaked: it must not live on in a cache."""
    keys = _Set(OLD, NEW)
    authenticator = keys.authenticator()
    assert _org(authenticator, OLD_ISSUER.token()) == "acme"
    keys.keys = [NEW]
    keys.now += 301
    with pytest.raises(Unauthenticated):
        _org(authenticator, OLD_ISSUER.token())
    assert _org(authenticator, NEW_ISSUER.token()) == "acme"


def test_the_last_set_serves_on_for_a_day_while_the_issuer_is_out_of_reach() -> None:
    """An hour's outage there must not be one here; a week's must."""
    keys = _Set(OLD)
    authenticator = keys.authenticator()
    _org(authenticator, OLD_ISSUER.token())
    keys.is_up = False
    keys.now += 23 * 3600
    assert _org(authenticator, OLD_ISSUER.token()) == "acme"
    asked = keys.asked
    for _ in range(20):
        _org(authenticator, OLD_ISSUER.token())
    assert keys.asked == asked
    keys.now += 2 * 3600
    with pytest.raises(IdentityUnavailable):
        _org(authenticator, OLD_ISSUER.token())
    keys.is_up = True
    keys.now += 31
    assert _org(authenticator, OLD_ISSUER.token()) == "acme"


NONSENSE = {
    "empty": b"",
    "HTML": b"<html>",
    "list": b"[]",
    "number": b"3",
    "null": b"null",
    "text": b'"x"',
    "no keys": b"{}",
    "empty keys": b'{"keys": []}',
    "keys are text": b'{"keys": "x"}',
    "key is a number": b'{"keys": [1]}',
    "key without parts": b'{"keys": [{"kty": "RSA"}]}',
    "key of numbers": b'{"keys": [{"kty": "RSA", "n": 1, "e": 2}]}',
    "not UTF-8": b"\xff\xfe",
    "deep": b"[" * 100_000,
    "long": b'{"keys": ' + b" " * 2_000_000 + b"[]}",
    "hung up": b"RAW:",
    "no HTTP": b"RAW:garbage\r\n\r\n",
    "cut off": b"RAW:HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
    "sent to a file": b"RAW:HTTP/1.1 302 Found\r\nlocation: file:///etc/hosts\r\ncontent-length: 0\r\n\r\n",
}


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE)
def test_an_issuer_that_answers_nonsense_is_unavailable(served: JwksServer, answer: bytes) -> None:
    """No token can be judged then: 503 and not 401, which would send clients to fetch new tokens."""
    served.answer = lambda: answer
    issuer = _issuer(served.url)
    with pytest.raises(IdentityUnavailable) as caught:
        _org(issuer.authenticator(), issuer.token())
    assert served.url not in str(caught.value)


@pytest.mark.parametrize("status", [404, 500])
def test_an_issuer_that_answers_with_an_error_is_unavailable(served: JwksServer, status: int) -> None:
    """Likewise."""
    served.status = status
    issuer = _issuer(served.url)
    with pytest.raises(IdentityUnavailable):
        _org(issuer.authenticator(), issuer.token())


def test_an_issuer_out_of_reach_is_unavailable_in_words_that_tell_nothing_of_it() -> None:
    """I15, and within the two seconds that a silent server is waited for."""
    issuer = _issuer(f"http://127.0.0.1:{free_port()}/keys")
    with pytest.raises(IdentityUnavailable) as caught:
        _org(issuer.authenticator(), issuer.token())
    assert "127.0.0.1" not in str(caught.value)
    with silent_server() as port, pytest.raises(IdentityUnavailable):
        _org(_issuer(f"http://127.0.0.1:{port}/keys").authenticator(), issuer.token())


def test_a_silent_issuer_costs_one_request_its_timeout_and_not_each() -> None:
    """Requests that waited two seconds each, one after the other, would use up the host's threads."""
    keys = _Set(OLD)
    keys.is_up = False
    keys.fetch_takes_s = 2.0
    authenticator = keys.authenticator()
    for _ in range(3):
        with pytest.raises(IdentityUnavailable):
            _org(authenticator, OLD_ISSUER.token())
    assert keys.asked == 1
    keys.now += 3
    keys.is_up = True
    assert _org(authenticator, OLD_ISSUER.token()) == "acme"


def test_an_issuer_out_of_reach_refuses_what_is_no_token_at_all() -> None:
    """Nonsense needs no key to be refused."""
    authenticator = _issuer(f"http://127.0.0.1:{free_port()}/keys").authenticator()
    with pytest.raises(Unauthenticated):
        _org(authenticator, "nonsense")


def test_several_static_keys_serve_one_after_the_other() -> None:
    """A rotation without a key set: old and new stand in the settings for a while."""
    texts = {"jwt_key": pem(rsa_key("old")) + pem(ec_key()) + pem(rsa_key("new"))}
    for issuer in (
        Issuer(algorithm="RS256", key=rsa_key("old"), settings=texts),
        Issuer(algorithm="RS256", key=rsa_key("new"), settings=texts),
        Issuer(algorithm="ES256", key=ec_key(), settings=texts),
    ):
        assert _org(issuer.authenticator(), issuer.token()) == "acme"


@pytest.mark.parametrize(
    ("key", "algorithms"),
    [
        ("-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----", "RS256"),
        ("-----BEGIN nothing", "RS256"),
        (pem(ec_key()), "RS256"),
        (pem(rsa_key()), "ES256"),
        (pem(rsa_key()), "RS257"),
        (pem(rsa_key()), ""),
    ],
    ids=["nonsense", "cut off", "EC for RS256", "RSA for ES256", "unknown algorithm", "no algorithm"],
)
def test_a_static_key_that_does_not_serve_is_refused_at_the_start(key: str, algorithms: str) -> None:
    """In a sentence that names the setting, not at the first request with a stack."""
    make: Callable[[], object] = lambda: authenticator_for(Settings(jwt_key=key, jwt_algorithms=algorithms))
    with pytest.raises(ConfigurationError, match="SQR_JOBS_JWT_"):
        make()


def test_the_shapes_of_this_suites_keys_are_what_they_seem() -> None:
    """The control for the refusals above: a well-formed set does serve."""
    assert json.dumps(OLD).count("old") == 1
    assert _org(_Set(OLD).authenticator(), OLD_ISSUER.token()) == "acme"
