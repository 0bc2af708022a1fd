"""Clients of one org that want their report whatever happens, and write down all that they see."""

import contextlib
import hashlib
import http.client
import io
import itertools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pikepdf

from tests.acceptance.client import PREFIX
from tests.acceptance.crowd import names_in
from tests.host.people import person
from tests.host.tokens import token
from tests.matrix.history import Exchange, History, Journey
from tests.servers.ports import wait_until

__all__ = ["FINAL", "PAUSE_S", "Traveller"]

_TIMEOUT_S = 6.0
PAUSE_S = 0.2
"""How long a client waits before it asks again."""
_TOKEN_S = 7_200
_TOLD = ("jobId", "status", "errorCode", "code", "sha256", "sizeBytes", "expiresInSeconds", "jobStatus")
FINAL = (200, 202, 400, 401, 403, 404, 410, 413, 415, 422)
"""Answers that asking again would not change; 422 may, while the job runs."""


@dataclass(frozen=True)
class _Reply:
    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    """But the date."""

    @property
    def json(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self.body))
        except ValueError:
            return {}


class Traveller:
    """One person's client; asks whichever server answers, again until it has an answer."""

    def __init__(
        self,
        history: History,
        urls: Sequence[str],
        org: str,
        user: str,
        *,
        patience_s: float,
        first: int = 0,
        key: str | None = None,
        accepted: Callable[[str], object] = lambda _job_id: None,
    ) -> None:
        self._history = history
        self._urls = itertools.cycle([*urls[first % len(urls) :], *urls[: first % len(urls)]])
        self._org, self._user = org, user
        self._token = token(org, expires_s=_TOKEN_S)
        self._until = time.monotonic() + patience_s
        self._key = key or f"{org}-{user}"
        self._accepted = accepted

    def travel(self) -> Journey:
        """Ask, poll, and download; every question is repeated until it is answered."""
        began = time.monotonic()
        job_id, end = None, "nothing"
        with contextlib.suppress(TimeoutError):
            job_id, end = self._travel()
        journey = Journey(
            org=self._org,
            user=self._user,
            job_id=job_id,
            end=end,
            began=began,
            ended=time.monotonic(),
            key=self._key,
        )
        self._history.add(journey)
        return journey

    def ask_once(self, *, key: str | None = None) -> _Reply | None:
        """Ask for a report once, and take whatever comes."""
        return self._exchange("create", "POST", PREFIX, {"userId": self._user}, key=key)

    def cancel(self, job_id: str) -> None:
        """Cancel a job until somebody answers."""
        self._insist("cancel", "DELETE", f"{PREFIX}/{job_id}", job_id=job_id, final=(200, 204, 404, 409))

    def probe(self, job_id: str) -> None:
        """Ask about a job of another org."""
        for path in (f"{PREFIX}/{job_id}", f"{PREFIX}/{job_id}/url"):
            self._exchange("probe", "GET", path, job_id=job_id)

    def _travel(self) -> tuple[str | None, str]:
        created = self._create()
        if created.status != 202:
            return None, f"refused {created.json.get('code', created.status)}"
        job_id = str(created.json["jobId"])
        self._accepted(job_id)
        told: dict[str, Any] = {}

        def has_ended() -> bool:
            nonlocal told
            told = self._insist("status", "GET", f"{PREFIX}/{job_id}", job_id=job_id).json
            return told.get("status") in ("COMPLETE", "FAILED")

        wait_until(has_ended, seconds=self._left(), what="the end", every_s=PAUSE_S)
        if told["status"] == "FAILED":
            return job_id, f"failed {told.get('errorCode')}"
        return job_id, self._download(job_id, told)

    def _create(self) -> _Reply:
        return self._insist("create", "POST", PREFIX, {"userId": self._user}, key=self._key)

    def _download(self, job_id: str, told: dict[str, Any]) -> str:
        answer = self._insist("url", "GET", f"{PREFIX}/{job_id}/url", job_id=job_id)
        if answer.status != 200:
            return f"refused {answer.json.get('code', answer.status)}"
        url = str(answer.json["url"])
        reply = self._insist("fetch", "GET", url, job_id=job_id, expected=told)
        return "document" if reply.status == 200 else f"bytes refused {reply.status}"

    def _insist(
        self,
        kind: str,
        method: str,
        url: str,
        body: dict[str, str] | None = None,
        *,
        final: Sequence[int] = FINAL,
        **more: Any,
    ) -> _Reply:
        found: list[_Reply] = []

        def is_answered() -> bool:
            reply = self._exchange(kind, method, url, body, **more)
            if reply is not None and reply.status in final:
                found.append(reply)
            return bool(found)

        wait_until(is_answered, seconds=self._left(), what=f"an answer to {kind}", every_s=PAUSE_S)
        return found[0]

    def _exchange(
        self,
        kind: str,
        method: str,
        url: str,
        body: dict[str, str] | None = None,
        *,
        key: str | None = None,
        job_id: str | None = None,
        expected: dict[str, Any] | None = None,
    ) -> _Reply | None:
        headers = {} if kind == "fetch" else {"Authorization": f"Bearer {self._token}"}
        if key is not None:
            headers["Idempotency-Key"] = f'"{key}"'
        if body is not None:
            headers["Content-Type"] = "application/json"
        asked = time.monotonic()
        reply = _send(method, url if "://" in url else f"{next(self._urls)}{url}", body, headers)
        self._history.add(
            Exchange(
                kind=kind,
                org=self._org,
                user=self._user,
                job_id=job_id or (reply.json.get("jobId") if reply and kind == "create" else None),
                asked=asked,
                answered=None if reply is None else time.monotonic(),
                status=None if reply is None else reply.status,
                told=None if reply is None else self._told(kind, reply, expected),
            )
        )
        return reply

    def _told(self, kind: str, reply: _Reply, expected: dict[str, Any] | None) -> dict[str, Any]:
        if kind != "fetch" or reply.status != 200 or expected is None:
            return {name: value for name, value in reply.json.items() if name in _TOLD}
        digest = hashlib.sha256(reply.body).hexdigest()
        is_whole = (digest, len(reply.body)) == (expected.get("sha256"), expected.get("sizeBytes"))
        return {"isWhole": is_whole, "isTheirs": _is_about(reply.body, self._user)}

    def _left(self) -> float:
        return max(self._until - time.monotonic(), 0)


def _send(method: str, url: str, body: dict[str, str] | None, headers: dict[str, str]) -> _Reply | None:
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_TIMEOUT_S)
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, None if body is None else json.dumps(body).encode(), headers)
        response = connection.getresponse()
        told = tuple((name, value) for name, value in response.getheaders() if name.lower() != "date")
        return _Reply(response.status, response.read(), told)
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _is_about(document: bytes, user: str) -> bool:
    """Say whether it parses, and names this person and nobody else."""
    known = person(user)
    try:
        with pikepdf.open(io.BytesIO(document)) as pdf:
            return len(pdf.pages) >= 1 and names_in(document) == {f"{known.given_name} {known.family_name}"}
    except pikepdf.PdfError:
        return False
