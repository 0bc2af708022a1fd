"""Runs the exchanges that the page on the endpoints shows; samples replace what differs each time."""

import json
import re
import textwrap
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from sqr_jobs.testing import Answer, Client, ReportsUnderTest

__all__ = ["exchanges"]

_HEADERS = ("Content-Type", "Location", "Retry-After", "WWW-Authenticate", "RateLimit-Policy", "RateLimit")
_API = "/v1/document/api"
_IDS = (
    "6f1c2d0e-6a57-4b0e-9d43-0b6a4f8a2c11",
    "0d9b7a36-52f4-4a7b-8a0e-4f1f6f0c9e22",
    "b3e8c5a1-1f8d-4c55-b1d2-7a9c3e5d8f33",
)
_ENDED = "2026-11-22T09:30:00.215Z"
_TAMED: dict[str, object] = {
    "createdAt": "2026-11-22T09:30:00.000Z",
    "completedAt": _ENDED,
    "durationMs": 198,
    "sizeBytes": 18314,
    "sha256": "9f2b5f0c7d1e4a3b8c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a4b",
    "filename": "SQR_J_Bloggs_7QXM.pdf",
    "url": "https://api.example.com/v1/document/api/files/document?key=…&filename=…&expires=…&signature=…",
}
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def exchanges(client: Client, reports: ReportsUnderTest, spoil: Callable[[], None]) -> dict[str, str]:
    """Go through a client's day: each exchange by its title. `spoil` makes the person's data invalid."""
    day = _Day(client)
    bearer = reports.bearer()
    key = {**bearer, "Idempotency-Key": "order-4711"}
    path = day.send("create", "POST", _API, key, {"userId": "US1"}).headers["location"]
    day.send("poll", "GET", path, bearer)
    day.send("too early", "GET", f"{path}/url", bearer)
    day.send("second job", "POST", _API, bearer, {"userId": "US1"})
    reports.run_pending()
    day.send("complete", "GET", path, bearer)
    day.send("download", "GET", f"{path}/url", bearer)
    day.send("repeated", "POST", _API, key, {"userId": "US1"})
    day.send("key reused", "POST", _API, key, {"userId": "US2"})
    day.send("invalid", "POST", _API, bearer, {"userId": "", "colour": "red"})
    day.send("no token", "GET", path, {})
    spoil()
    failing = reports.create("US1")
    reports.run_pending()
    day.send("failed", "GET", f"{_API}/{failing.job_id}", bearer)
    times = {"userId": "US1", "exportDeadline": "PT2M", "outputTtl": "PT1H"}
    unwanted = day.send("own times", "POST", _API, bearer, times).headers["location"]
    day.send("cancelled", "DELETE", unwanted, bearer)
    status = 0
    while status != HTTPStatus.TOO_MANY_REQUESTS:
        status = day.send("rate limited", "POST", _API, bearer, {"userId": "US404"}).status
    return day.told


class _Day:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._ids: list[str] = []
        self.told: dict[str, str] = {}

    def send(
        self, title: str, method: str, path: str, headers: dict[str, str], body: object = None
    ) -> Answer:
        """Send a request and write down both sides."""
        sent, content = dict(headers), None
        if body is not None:
            sent["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        answer = self._client(method, path, sent, content)
        shown = {name: "Bearer …" if name == "Authorization" else value for name, value in sent.items()}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in shown.items())]
        lines += [] if body is None else ["", json.dumps(body)]
        lines += ["", f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
        lines += [
            f"{name}: {answer.headers[name.lower()]}" for name in _HEADERS if name.lower() in answer.headers
        ]
        lines += ["", _wrapped(json.dumps(_tame(answer.json), ensure_ascii=False)), ""]
        text = _ID.sub(lambda found: self._sample(found[0]), "\n".join(lines))
        text = re.sub(r";t=\d+", ";t=600", text)
        self.told[title] = re.sub(r"(Retry-After: |Try again in )\d{3}\b", r"\g<1>600", text)
        return answer

    def _sample(self, job_id: str) -> str:
        if job_id not in self._ids:
            self._ids.append(job_id)
        return _IDS[self._ids.index(job_id)]


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 100, subsequent_indent=" ", break_long_words=False, break_on_hyphens=False)


def _tame(body: dict[str, Any]) -> dict[str, Any]:
    tamed = {name: _TAMED.get(name, value) for name, value in body.items()}
    if "updatedAt" in tamed:
        tamed["updatedAt"] = _ENDED if "completedAt" in tamed else _TAMED["createdAt"]
    return tamed
