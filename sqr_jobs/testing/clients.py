"""One small client over a host's application, whichever framework it is made with."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Answer", "Client", "client_of"]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an application answered."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


Client = Callable[[str, str, Mapping[str, str], bytes | None], Answer]
"""Sends (method, path with query, headers, body) and returns the answer."""


def client_of(app: Any) -> Client:
    """Make a client of a Flask application, or of a FastAPI or Starlette one.

    Raises `TypeError` for anything else: write a `Client` for it.
    """
    if hasattr(app, "test_client"):
        return _flask_client(app)
    if hasattr(app, "router"):
        return _starlette_client(app)
    raise TypeError(
        f"no client is known for {type(app).__name__}: pass a function as sqr_jobs.testing.Client"
    )


def _flask_client(app: Any) -> Client:
    client = app.test_client()

    def send(method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        answer = client.open(path, method=method, headers=dict(headers), data=body)
        body_sent = answer.get_data()
        answer.close()  # a file that was sent stays open otherwise
        return _answer(answer.status_code, answer.headers, body_sent)

    return send


def _starlette_client(app: Any) -> Client:
    from starlette.testclient import TestClient  # noqa: PLC0415 - only where the host has it

    client = TestClient(app)

    def send(method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        answer = client.request(method, path, headers=dict(headers), content=body)
        return _answer(answer.status_code, answer.headers, answer.content)

    return send


def _answer(status: int, headers: Any, body: bytes) -> Answer:
    return Answer(status=status, headers={name.lower(): value for name, value in headers.items()}, body=body)
