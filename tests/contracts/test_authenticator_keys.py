"""What the keys behind the authenticator promise: the issuer's present ones, without a load on the issuer."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from sqr_jobs import ConfigurationError, Settings
from sqr_jobs.adapters.jwt_authenticator import JwtAuthenticator
from sqr_jobs.adapters.key_set_fetch import AnswerTooLargeError, fetch_json
from sqr_jobs.adapters.signing_keys import JwksKeys
from sqr_jobs.errors import IdentityUnavailable, Unauthenticated
from sqr_jobs.ports import Authenticator
from sqr_jobs.wiring.parts import authenticator_for
from tests.contracts.issuers import (
    SHARED_SECRET,
    Issuer,
    JwksServer,
    ec_key,
    jwk,
    pem,
    rsa_key,
    serve,
    weak_rsa_key,
)
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


_GOOD = jwk(rsa_key(), "rsa-1", None)
_ODD: dict[str, Any] = {
    "alg is a list": {**_GOOD, "alg": ["RS256"]},
    "alg is an object": {**_GOOD, "alg": {}},
    "kid is a number": {**_GOOD, "kid": 7},
    "use is a list": {**_GOOD, "use": ["sig"]},
    "key_ops is a text": {**_GOOD, "key_ops": "verify"},
    "no kty": {name: _GOOD[name] for name in ("n", "e", "kid")},
    "kty is a list": {**_GOOD, "kty": ["RSA"]},
    "kty of another key": {**_GOOD, "kty": "EC", "crv": "P-256"},
    "no modulus": {"kty": "RSA", "e": "AQAB", "kid": "rsa-1"},
    "modulus is a number": {**_GOOD, "n": 7},
    "modulus is no base64": {**_GOOD, "n": "\u00fc"},
    "modulus of 1024 bits": jwk(weak_rsa_key(), "rsa-1", "RS256"),
    "point off the curve": {"kty": "EC", "crv": "P-256", "x": "AA" * 21 + "A", "y": "AA" * 21 + "A"},
    "a shared secret": {"kty": "oct", "k": "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4", "kid": "rsa-1"},
    "a private key": {**jwt.algorithms.RSAAlgorithm.to_jwk(rsa_key("theirs"), as_dict=True), "kid": "rsa-1"},
    "no object": "key",
    "nothing": None,
}
_OTHER_PURPOSE: dict[str, Any] = {
    "use: enc": {**jwk(rsa_key("theirs"), "rsa-1", None), "use": "enc"},
    "key_ops: encrypt": {**jwk(rsa_key("theirs"), "rsa-1", None), "key_ops": ["encrypt", "wrapKey"]},
    "key_ops: none": {**jwk(rsa_key("theirs"), "rsa-1", None), "key_ops": []},
    "kty of tomorrow": {"kty": "AKP", "kid": "rsa-1", "pub": "AAAA"},
    "crv unknown here": {**jwk(ec_key(), "rsa-1", None), "crv": "secp256k1"},
}


@pytest.mark.parametrize("entry", [*_ODD.values(), *_OTHER_PURPOSE.values()], ids=[*_ODD, *_OTHER_PURPOSE])
def test_an_odd_key_is_skipped_alone(entry: Any, caplog: pytest.LogCaptureFixture) -> None:
    """One entry that nobody can use must not lock out the clients of the key beside it, of the same kid."""
    keys = _Set(entry, _GOOD)
    authenticator = keys.authenticator()
    assert _org(authenticator, _issuer("", kid="rsa-1").token()) == "acme"
    with pytest.raises(Unauthenticated):
        _org(authenticator, _issuer("", kid="rsa-1", key=rsa_key("theirs")).token())
    keys.now += 301
    _org(authenticator, _issuer("", kid="rsa-1").token())
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(told) == (entry in _ODD.values())  # once, and only of what should not be there
    assert all(line.startswith("the issuer's key set: skipped key 1: ") for line in told)


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_a_key_set_of_weak_keys_alone_verifies_nothing() -> None:
    """RFC 7518, 3.3: whoever factors the modulus signs for every org."""
    weak = weak_rsa_key()
    keys = _Set(jwk(weak, "rsa-1", "RS256"))
    with pytest.raises(IdentityUnavailable):
        _org(keys.authenticator(), _issuer("", kid="rsa-1", key=weak).token())


@pytest.mark.parametrize("length", [1_048_576, 1_048_577])
def test_a_key_set_is_read_up_to_a_mebibyte(served: JwksServer, length: int) -> None:
    """An answer without an end must not fill the memory of the service that asked."""
    body = json.dumps({"keys": [_GOOD]}).encode()
    served.answer = lambda: body.ljust(length)
    if length == 1_048_576:
        assert fetch_json(served.url)() == {"keys": [_GOOD]}
    else:
        with pytest.raises(AnswerTooLargeError):
            fetch_json(served.url)()


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


def _private(key: Any, *, password: bytes | None = None) -> str:
    how = BestAvailableEncryption(password) if password else NoEncryption()
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how).decode())


_P384 = ec.generate_private_key(ec.SECP384R1())
_RSA_512 = """-----BEGIN PUBLIC KEY-----
MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALoHu5VFefgrMUHh7XJtGkUqAGjokX7E
gYLORR914DdfNifG/CoeobqjDcNJz7cZ4nIubOoXoLsmSpqJY/M7HMUCAwEAAQ==
-----END PUBLIC KEY-----"""
_REFUSED_KEYS: dict[str, tuple[str, str, str]] = {
    "nonsense": ("-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----", "RS256", "is not a public key"),
    "nonsense beside a key": (
        pem(rsa_key()) + "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----",
        "RS256",
        "PEM part 2 is not a public key",
    ),
    "cut off": ("-----BEGIN nothing", "RS256", "holds no key"),
    "EC for RS256": (pem(ec_key()), "RS256", "holds no key"),
    "RSA for ES256": (pem(rsa_key()), "ES256", "holds no key"),
    "P-384 for ES256": (pem(_P384), "ES256", "holds no key"),
    "P-256 for ES384": (pem(ec_key()), "ES384", "holds no key"),
    "unknown algorithm": (pem(rsa_key()), "RS257", "JWT_ALGORITHMS names RS257"),
    "no algorithm": (pem(rsa_key()), "", "JWT_ALGORITHMS names"),
    "a secret of one byte": ("x", "HS256", "has 1 bytes; HS256 needs 32"),
    "a secret of 31 bytes": ("x" * 31, "HS256", "HS256 needs 32"),
    "a secret of 47 bytes": ("x" * 47, "HS384", "HS384 needs 48"),
    "a secret of 63 bytes": ("x" * 63, "HS256,HS512", "HS512 needs 64"),
    "a JWK as a secret": (json.dumps({"kty": "oct", "k": "x" * 43}), "HS256", "no shared secret"),
    "RSA of 512 bits": (_RSA_512, "RS256", "RSA key of 512 bits"),
    "RSA of 1024 bits": (pem(weak_rsa_key()), "PS256", "RSA key of 1024 bits"),
    "RSA of 1024 bits beside a key": (pem(rsa_key()) + pem(weak_rsa_key()), "RS256", "PEM part 2 is an RSA"),
    "a private key": (_private(rsa_key()), "RS256", "holds a private key"),
    "a private key beside a key": (pem(ec_key()) + _private(ec_key()), "ES256", "holds a private key"),
    "a locked private key": (_private(ec_key(), password=b"x"), "ES256", "holds a private key"),
}


@pytest.mark.parametrize(("key", "algorithms", "words"), _REFUSED_KEYS.values(), ids=_REFUSED_KEYS)
def test_a_static_key_that_does_not_serve_is_refused_at_the_start(
    key: str, algorithms: str, words: str
) -> None:
    """In a sentence that names the setting and not the key, and not at the first request with a stack."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        authenticator_for(Settings(jwt_key=key, jwt_algorithms=algorithms))
    assert "SQR_JOBS_JWT_" in str(caught.value)
    assert len(key) < 2 or key not in str(caught.value)


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [("HS256", "x" * 32), ("HS384", "x" * 48), ("HS512", "x" * 64), ("ES384", _P384)],
    ids=["HS256", "HS384", "HS512", "ES384"],
)
def test_a_static_key_of_just_the_needed_strength_is_taken(algorithm: str, key: Any) -> None:
    """The control for the refusals: RFC 7518 asks for no more."""
    text = key if isinstance(key, str) else pem(key)
    issuer = Issuer(algorithm=algorithm, key=key, settings={"jwt_key": text, "jwt_algorithms": algorithm})
    assert _org(issuer.authenticator(), issuer.token()) == "acme"


@pytest.mark.parametrize("around", ["{}\n", " {}\r\n"])
def test_a_secret_that_came_with_a_line_end_judges_tokens(around: str) -> None:
    """Files of secrets end in one, and the issuer's own copy does not."""
    text = around.format(SHARED_SECRET)
    settings = {"jwt_key": text, "jwt_algorithms": "HS256"}
    issuer = Issuer(algorithm="HS256", key=SHARED_SECRET, settings=settings)
    assert _org(issuer.authenticator(), issuer.token()) == "acme"


def test_the_shapes_of_this_suites_keys_are_what_they_seem() -> None:
    """The control for the refusals above: a well-formed set does serve."""
    assert json.dumps(OLD).count("old") == 1
    assert _org(_Set(OLD).authenticator(), OLD_ISSUER.token()) == "acme"
