"""Issuers of tokens for the authenticator's contract: their keys, and the settings that trust them."""

import base64
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sqr_jobs import Settings
from sqr_jobs.ports import Authenticator
from sqr_jobs.wiring.parts import authenticator_for

__all__ = [
    "AUDIENCE",
    "ISSUER",
    "SHARED_SECRET",
    "Issuer",
    "JwksServer",
    "ec_key",
    "jwk",
    "pem",
    "rsa_key",
    "serve",
    "signed",
    "weak_rsa_key",
]

ISSUER, AUDIENCE = "https://issuer.example", "sqr-jobs"
SHARED_SECRET = "a shared secret of the tests, long enough for HS256"


@cache
def rsa_key(name: str = "ours") -> rsa.RSAPrivateKey:
    """Make an RSA key, once per name."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def weak_rsa_key() -> rsa.RSAPrivateKey:
    """Make an RSA key of 1024 bits, which RFC 7518 forbids."""
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)


@cache
def ec_key(name: str = "ours") -> ec.EllipticCurvePrivateKey:
    """Make a P-256 key, once per name."""
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> str:
    """Write a key's public half as PEM."""
    data: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return data.decode()


def jwk(key: Any, kid: str, algorithm: str | None) -> dict[str, str]:
    """Write a key's public half as a JWK."""
    kind = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    public = kind.to_jwk(key.public_key(), as_dict=True)
    return {**public, "kid": kid, "use": "sig"} | ({"alg": algorithm} if algorithm else {})


def signed(header: bytes, payload: bytes, *, key: Any, algorithm: str) -> str:
    """Sign these very bytes, which need not be what a library would write, nor JSON."""
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=") for part in (header, payload)]
    method = jwt.get_algorithm_by_name(algorithm)
    signature: bytes = method.sign(b".".join(parts), method.prepare_key(key))
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


@dataclass(kw_only=True)
class Issuer:
    """Signs tokens; `settings` make a service trust it."""

    algorithm: str
    key: Any
    settings: dict[str, Any]
    kid: str | None = None

    def authenticator(self, **more: Any) -> Authenticator:
        """Make the authenticator as the wiring makes it."""
        made = authenticator_for(Settings(**{**self.settings, **more}))
        assert made is not None
        return made

    def token(self, *, key: Any = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Sign a token that is good but for what the test changes; None leaves a claim out."""
        headers = {**({"kid": self.kid} if self.kid else {}), **(header or {})}
        # As bytes, because PyJWT refuses to sign some claims that another library would.
        data = json.dumps(self.claims(**claims)).encode()
        return jwt.PyJWS().encode(data, key or self.key, algorithm=self.algorithm, headers=headers)

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Give the claims of such a token."""
        good = {"org": "acme", "exp": int(time.time()) + 600, "iss": ISSUER, "aud": AUDIENCE}
        return {name: value for name, value in {**good, **changed}.items() if value is not None}

    def verbatim(self, *, header: str = "", payload: str = "") -> str:
        """Sign a good token with more JSON text before what its header says, and after its claims."""
        said = json.dumps({"alg": self.algorithm, **({"kid": self.kid} if self.kid else {})})
        claims = json.dumps(self.claims())
        return signed(
            f"{{{header}{said[1:]}".encode(),
            f"{claims[:-1]}{payload}}}".encode(),
            key=self.key,
            algorithm=self.algorithm,
        )


@dataclass(kw_only=True)
class JwksServer:
    """An issuer's server for its key set; a test may change what it answers, and count the questions."""

    url: str
    answer: Callable[[], bytes]
    asked: int = 0
    status: int = 200

    def publish(self, *keys: dict[str, str]) -> None:
        """Answer with these keys from now on."""
        body = json.dumps({"keys": list(keys)}).encode()
        self.answer = lambda: body


@contextlib.contextmanager
def serve() -> Iterator[JwksServer]:
    """Run a server for a key set, with our RSA and EC keys in it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked += 1
            body = served.answer()
            if body.startswith(b"RAW:"):
                self.wfile.write(body.removeprefix(b"RAW:"))
                return
            self.send_response(served.status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = JwksServer(url=f"http://127.0.0.1:{server.server_port}/keys", answer=lambda: b"")
        served.publish(jwk(rsa_key(), "rsa-1", "RS256"), jwk(ec_key(), "ec-1", "ES256"))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        server.shutdown()
        thread.join()
