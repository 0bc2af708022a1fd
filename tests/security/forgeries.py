"""Tokens that nobody may get in with: an attacker's whole box, and what an honest issuer never signs.

`CANARY` stands wherever a token has room for words of the attacker's own, so that a log that quotes any of
it shows.
"""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.contracts.issuers import AUDIENCE, ISSUER, ec_key, pem, rsa_key

__all__ = ["FORGERIES", "genuine"]

CANARY = "CANARYtext"
_THEIRS = rsa_key("theirs")
_WEAK = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _part(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _claims(**changed: Any) -> dict[str, Any]:
    good = {"org": "acme", "exp": int(time.time()) + 600, "iss": ISSUER, "aud": AUDIENCE, "note": CANARY}
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def genuine(
    header: dict[str, Any] | None = None, *, key: Any = None, algorithm: str = "RS256", **c: Any
) -> str:
    """Sign as the trusted issuer does, or with another key, header and claims."""
    data = json.dumps(_claims(**c)).encode()
    headers = {"kid": "rsa-1" if algorithm == "RS256" else "ec-1", **(header or {})}
    headers = {name: value for name, value in headers.items() if value is not None}
    return jwt.PyJWS().encode(data, key or rsa_key(), algorithm=algorithm, headers=headers)


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
    "alg none beside RS256": lambda: _resigned(None, b'{"alg":"RS256","alg":"none","kid":"rsa-1"}'),
    "no alg": lambda: _with_header({"kid": "rsa-1"}),
    "alg null": lambda: _with_header({"alg": None}),
    "alg a list": lambda: _with_header({"alg": ["RS256", "none"]}),
    "signature left out": lambda: genuine().rpartition(".")[0] + ".",
    "signature of zeros": lambda: genuine().rpartition(".")[0] + "." + "A" * 342,
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
    # extensions
    "crit": lambda: genuine({"crit": ["CANARYtext"], "CANARYtext": 1}),
    "crit b64": lambda: genuine({"crit": ["b64"], "b64": False}),
    "crit empty": lambda: genuine({"crit": []}),
    "zip": lambda: _with_header({"alg": "RS256", "kid": "rsa-1", "zip": "DEF"}),
    # claims that were changed, and claims that do not hold though the issuer signed them
    "org changed": lambda: _resigned(_claims(org="globex")),
    "org twice": lambda: _resigned(json.dumps(_claims())[:-1].encode() + b', "org": "globex"}'),
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
    "not valid for a second": lambda: genuine(nbf=int(time.time()) + 10),
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
