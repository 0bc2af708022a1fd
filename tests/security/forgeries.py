"""Tokens that nobody may get in with: an attacker's whole box, and what an honest issuer never signs.

An honest one holds where the strict form is asked for too, so that each forgery is refused for what it is.
Those at the edges of time need a clock that stands still. `CANARY` stands wherever a token has room for words
of the attacker's own, so that a log that quotes any of it shows.
"""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.contracts.issuers import AUDIENCE, ISSUER, ec_key, pem, rsa_key, signed

__all__ = ["FORGERIES", "HONEST", "PLAIN", "genuine"]

CANARY = "CANARYtext"
_THEIRS = rsa_key("theirs")
_WEAK = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _part(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {"org": "acme", "exp": now + 600, "iat": now, "iss": ISSUER, "aud": AUDIENCE, "note": CANARY}
    good |= {"sub": "acme's own", "client_id": "web", "jti": "1"}
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def genuine(
    header: dict[str, Any] | None = None, *, key: Any = None, algorithm: str = "RS256", **c: Any
) -> str:
    """Sign as the trusted issuer does, or with another key, header and claims."""
    data = json.dumps(_claims(**c)).encode()
    headers = {"kid": "rsa-1" if algorithm == "RS256" else "ec-1", "typ": "at+jwt", **(header or {})}
    headers = {name: value for name, value in headers.items() if value is not None}
    return jwt.PyJWS().encode(data, key or rsa_key(), algorithm=algorithm, headers=headers)


def _verbatim(header: str, payload: str = "") -> str:
    """Sign with the issuer's own key this text as the header, and more text before the honest claims."""
    claims = f"{{{payload}{json.dumps(_claims())[1:]}"
    return signed(header.encode(), claims.encode(), key=rsa_key(), algorithm="RS256")


_HEADER = '{"alg":"RS256","kid":"rsa-1","typ":"at+jwt"}'


def _twice(payload: str = "", header: str = "") -> Callable[[], str]:
    """Say first what the honest rest says otherwise, or again."""
    return lambda: _verbatim(f"{{{header}{_HEADER[1:]}", payload)


def _of_type(kind: object) -> Callable[[], str]:
    return lambda: _verbatim(f'{{"alg":"RS256","kid":"rsa-1","typ":{json.dumps(kind)}}}')


def _with_header(header: object, signature: str = CANARY) -> str:
    """Put another header before an honest payload, with a signature that is none."""
    return f"{_part(header)}.{_part(_claims())}.{signature}"


def _resigned(payload: object, header: object | None = None) -> str:
    """Leave the honest signature where it was, and put something else before it."""
    head, body, signature = genuine().split(".")
    return (
        f"{_part(header) if header is not None else head}.{_part(payload) if payload else body}.{signature}"
    )


def _as_secret(key: bytes, kid: str = "rsa-1") -> str:
    """Sign with HMAC, by a text that anyone can read."""
    signed = f"{_part({'alg': 'HS256', 'typ': 'JWT', 'kid': kid})}.{_part(_claims())}"
    hmac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    return f"{signed}.{_part(hmac.sign(signed.encode(), key))}"


def _der() -> bytes:
    return rsa_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _own_jwk() -> dict[str, Any]:
    return dict(jwt.algorithms.RSAAlgorithm.to_jwk(_THEIRS.public_key(), as_dict=True))


def _stranger(**header: Any) -> Callable[[], str]:
    return lambda: genuine(header, key=_THEIRS)


_ELSEWHERE = "http://127.0.0.1:9/CANARYtext.json"

FORGERIES: dict[str, Callable[[], str]] = {
    # no signature
    "alg none": lambda: _with_header({"alg": "none"}, ""),
    "alg None": lambda: _with_header({"alg": "None"}, ""),
    "alg nOnE, signed": lambda: _with_header({"alg": "nOnE", "kid": "rsa-1"}),
    "alg none after RS256": lambda: _verbatim('{"alg":"RS256","kid":"rsa-1","typ":"at+jwt","alg":"none"}'),
    "no alg": lambda: _with_header({"kid": "rsa-1"}),
    "alg null": lambda: _with_header({"alg": None}),
    "alg a list": lambda: _with_header({"alg": ["RS256", "none"]}),
    "signature left out": lambda: genuine().rpartition(".")[0] + ".",
    "signature of zeros": lambda: genuine().rpartition(".")[0] + "." + "A" * 342,
    "dots in the payload": lambda: "....".join(genuine().rsplit(".", 1)),
    "two parts": lambda: genuine().rpartition(".")[0],
    "five parts": lambda: _with_header({"alg": "dir", "enc": "A128GCM"}) + ".AAAA.AAAA",
    # another key, or another use of ours
    "HS256 by the public key's PEM": lambda: _as_secret(pem(rsa_key()).encode()),
    "HS256 by its PEM without the last line break": lambda: _as_secret(pem(rsa_key()).strip().encode()),
    "HS256 by its DER": lambda: _as_secret(_der()),
    "HS256 by the empty key": lambda: _as_secret(b""),
    "HS256 by the issuer's name": lambda: _as_secret(ISSUER.encode()),
    "a stranger's key": _stranger(),
    "a stranger's key under a known kid of another type": _stranger(kid="ec-1"),
    "ES256 by our kid of RSA": lambda: genuine({"kid": "rsa-1"}, key=ec_key("theirs"), algorithm="ES256"),
    "RS512, which is not configured": lambda: genuine({"alg": "RS512"}, algorithm="RS512"),
    "PS256, which is not configured": lambda: genuine({"alg": "PS256"}, algorithm="PS256"),
    "ES256 with a signature of r = s = 0": lambda: _with_header({"alg": "ES256", "kid": "ec-1"}, "A" * 86),
    # keys and addresses that it brings along
    "jwk": lambda: genuine({"jwk": _own_jwk(), "kid": None}, key=_THEIRS),
    "jwk under a known kid": lambda: genuine({"jwk": _own_jwk()}, key=_THEIRS),
    "jku": _stranger(jku=_ELSEWHERE),
    "x5u": _stranger(x5u=_ELSEWHERE),
    "x5c": _stranger(x5c=[CANARY]),
    # kid injection
    "kid a path": _stranger(kid="../../../../dev/null"),
    "kid SQL": _stranger(kid="x' UNION SELECT 'CANARYtext"),
    "kid a command": _stranger(kid="rsa-1|touch /tmp/CANARYtext"),
    "kid an address": _stranger(kid=_ELSEWHERE),
    "kid with a line break": _stranger(kid="rsa-1\nCANARYtext"),
    "kid a number": lambda: _with_header({"alg": "RS256", "kid": 1}),
    "kid an object": lambda: _with_header({"alg": "RS256", "kid": {"$ne": None}}),
    "kid empty": _stranger(kid=""),
    # members that two readers would read differently, signed by the issuer
    "alg twice": _twice(header='"alg":"none",'),
    "alg twice, the same": _twice(header='"alg":"RS256",'),
    "kid twice": _twice(header='"kid":"CANARYtext",'),
    "typ twice": _twice(header='"typ":"id+jwt",'),
    "org twice": _twice('"org": "globex", '),
    "org twice, the same": _twice('"org": "acme", '),
    "org twice, once in escapes": _twice('"\\u006frg": "globex", '),
    "exp twice": _twice('"exp": 1, '),
    "aud twice": _twice('"aud": "CANARYtext", '),
    "scope twice": _twice('"scope": "CANARYtext", "scope": "", '),
    "twice inside a claim": _twice('"act": {"sub": "CANARYtext", "sub": "b"}, '),
    # what was signed for another purpose
    "typ of an identity token": _of_type("id+jwt"),
    "typ of a logout token": _of_type("logout+jwt"),
    "typ of a proof of possession": _of_type("dpop+jwt"),
    "typ of a security event": _of_type("secevent+jwt"),
    "typ of an identity token in full": _of_type("application/id+jwt"),
    "typ in other words": _of_type("CANARYtext"),
    "typ with a blank": _of_type("at+jwt "),
    "typ empty": _of_type(""),
    "typ null": _of_type(None),
    "typ a number": _of_type(7),
    "typ true": _of_type(True),
    "typ a list": _of_type(["at+jwt"]),
    "typ an object": _of_type({"at+jwt": 1}),
    # extensions
    "crit": lambda: genuine({"crit": ["CANARYtext"], "CANARYtext": 1}),
    "crit b64": lambda: genuine({"crit": ["b64"], "b64": False}),
    "crit empty": lambda: genuine({"crit": []}),
    "zip": lambda: _with_header({"alg": "RS256", "kid": "rsa-1", "zip": "DEF"}),
    # claims that were changed, and claims that do not hold though the issuer signed them
    "org changed": lambda: _resigned(_claims(org="globex")),
    "other issuer": lambda: genuine(iss="https://CANARYtext.example"),
    "issuer with a slash more": lambda: genuine(iss=f"{ISSUER}/"),
    "issuer a list": lambda: genuine(iss=[ISSUER]),
    "no issuer": lambda: genuine(iss=None),
    "other audience": lambda: genuine(aud="CANARYtext"),
    "audience in other case": lambda: genuine(aud=AUDIENCE.upper()),
    "no audience": lambda: genuine(aud=None),
    "no audience in a list": lambda: genuine(aud=[]),
    "expired this second": lambda: genuine(exp=int(time.time())),
    "expired long ago": lambda: genuine(exp=0),
    "no expiry": lambda: genuine(exp=None),
    "expiry a text": lambda: genuine(exp="CANARYtext"),
    "expiry NaN": lambda: genuine(exp=float("nan")),
    "expiry infinite": lambda: genuine(exp=float("inf")),
    "expiry true": lambda: genuine(exp=True),
    "not valid for a second": lambda: genuine(nbf=int(time.time()) + 1),
    "not valid until tomorrow": lambda: genuine(nbf=int(time.time()) + 86_400),
    "issued in a second": lambda: genuine(iat=int(time.time()) + 1),
    "issued tomorrow": lambda: genuine(iat=int(time.time()) + 86_400),
    "no org": lambda: genuine(org=None),
    "org empty": lambda: genuine(org=""),
    "org a list": lambda: genuine(org=["acme"]),
    "org with a NUL": lambda: genuine(org="acme\x00CANARYtext"),
    "org with a direction mark": lambda: genuine(org="\u202eacme"),
    "org a lone surrogate": lambda: genuine(org="\ud800"),
    # what is no token at all
    "100 KB": lambda: genuine(padding=CANARY * 10_000),
    "header of a bottomless list": lambda: f"{_part(b'[' * 9_000)}.{_part(_claims())}.{CANARY}",
    "payload no object": lambda: genuine().split(".")[0] + f".{_part([CANARY])}." + genuine().split(".")[2],
    "payload not UTF-8": lambda: f"{genuine().split('.')[0]}.{_part(bytes([255, 254]))}.AAAA",
    "base64 with blanks": lambda: "\t".join(genuine().split(".")),
    "other letters": lambda: "tök.CANARYtext.ü",
}
"""By name; each is made anew, because time runs in them."""

HONEST: dict[str, Callable[[], str]] = {
    "as it should be": genuine,
    "good for a second more": lambda: genuine(exp=int(time.time()) + 1),
    "valid from this second": lambda: genuine(nbf=int(time.time())),
    "issued this second": lambda: genuine(iat=int(time.time())),
    "by bytes of ours": _twice(),
    "a name once in each object": _twice('"act": {"sub": "a", "act": {"sub": "b"}}, '),
    "typ in capitals": _of_type("AT+JWT"),
    "typ in full": _of_type("application/at+jwt"),
}
"""What the forgeries are beside: let in, or else nothing would show what those are refused for."""

PLAIN: dict[str, Callable[[], str]] = {
    "typ JWT": _of_type("JWT"),
    "typ JWT in full": _of_type("application/jwt"),
    "no typ": lambda: _verbatim('{"alg":"RS256","kid":"rsa-1"}'),
    "no sub": lambda: genuine(sub=None),
    "no jti": lambda: genuine(jti=None),
}
"""Tokens that do not say what they are for: honest ones, but where the strict form is asked for."""
