"""A client that costs little: one connection, kept open, and the time that each exchange took."""

import http.client
import json
import time
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

import jwt

from tests.bench.figures import MeasurementBroken

__all__ = ["Client", "Exchange", "Tokens"]


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One answer, and how long it took from the first byte sent to the last received."""

    status: int
    body: bytes
    seconds: float

    @property
    def job_id(self) -> str:
        """The id of the job that the body shows."""
        return str(json.loads(self.body)["jobId"])

    def expect(self, status: int) -> Self:
        """Return the exchange itself. Raises `MeasurementBroken` for another status."""
        if self.status != status:
            raise MeasurementBroken(f"{status} was expected, {self.status} came: {self.body[:300]!r}")
        return self


class Client:
    """One connection to one server."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)

    def post(self, path: str, body: dict[str, str], token: str) -> Exchange:
        """Send JSON."""
        return self._exchange("POST", path, json.dumps(body).encode(), token)

    def get(self, path: str, token: str) -> Exchange:
        """Ask."""
        return self._exchange("GET", path, None, token)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _exchange(self, method: str, path: str, body: bytes | None, token: str) -> Exchange:
        headers = {"Authorization": f"Bearer {token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        began = time.perf_counter()
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        answer = response.read()
        return Exchange(status=response.status, body=answer, seconds=time.perf_counter() - began)


class Tokens:
    """Signs tokens of orgs with RS256, each once."""

    def __init__(self) -> None:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.public_key = public.decode()
        """What judges them, as PEM."""
        self._made: dict[str, str] = {}

    def of(self, org: str) -> str:
        """Return an org's token."""
        if org not in self._made:
            claims = {"org": org, "exp": int(time.time()) + 3600, "client_id": "bench"}
            self._made[org] = jwt.encode(claims, self._key, algorithm="RS256")
        return self._made[org]
