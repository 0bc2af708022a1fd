"""One request for every answer that the contract knows, to hold all of them against the common rules."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqr_jobs import Caller, User
from tests.host.people import People
from tests.host.tokens import bearer
from tests.http.clients import JSON, Client, Reply

__all__ = ["MALFORMED", "SITUATIONS", "Broken", "Situation", "document_of", "unknown_id"]

unknown_id = "0b4ad4b5-6b0c-4b3e-9a0e-7a3f2f6f9d11"


class Broken:
    """A user directory whose database answers nonsense."""

    def find(self, user_id: str) -> User | None:
        raise LookupError(f"CANARY-CAUSE SELECT name FROM people WHERE key='/etc/secret' {user_id}")

    def may_report(self, caller: Caller, user: User) -> bool:
        raise AssertionError("never asked")


class _Revoked(People):
    """A user directory that permits nothing any more."""

    def may_report(self, caller: Caller, user: User) -> bool:
        return False


@dataclass(frozen=True)
class Situation:
    """What to send, and the answer that the contract wants."""

    status: int
    code: str | None
    meet: Callable[[Client], Reply]
    settings: dict[str, Any] = field(default_factory=dict)
    when_distributed: dict[str, Any] = field(default_factory=dict)

    def settings_in(self, form: str) -> dict[str, Any]:
        """Give the settings with those of one form alone."""
        return self.settings | (self.when_distributed if form == "distributed" else {})


def document_of(client: Client, job_id: str) -> Path:
    """Find the stored file of a job, where a folder holds it."""
    (path,) = (Path(client.system.settings.data_dir) / "documents" / job_id).iterdir()
    return path


def _with_body(content: bytes, media_type: str = "application/json") -> Callable[[Client], Reply]:
    return lambda client: client.request(
        "POST", client.path, headers={**bearer(), "Content-Type": media_type}, content=content
    )


def _twice(client: Client) -> Reply:
    client.create()
    return client.post({"userId": "U-1"})


def _with_key(client: Client, body: dict[str, str]) -> Reply:
    headers = {**bearer(), "Idempotency-Key": "CANARY-KEY"}
    return client.request("POST", client.path, headers=headers, json=body)


def _key_repeated(client: Client) -> Reply:
    _with_key(client, {"userId": "U-1"})
    return _with_key(client, {"userId": "U-1"})


def _key_reused(client: Client) -> Reply:
    _with_key(client, {"userId": "U-1"})
    return _with_key(client, {"userId": "U-2"})


def _key_in_use(client: Client) -> Reply:
    """Let a request with the key begin, and never end."""
    client.system.intake.release = lambda _reservation: None  # type: ignore[method-assign]
    _with_key(client, {"userId": "NOBODY"})
    return _with_key(client, {"userId": "NOBODY"})


def _eleven_times(client: Client) -> Reply:
    for _ in range(10):
        client.post({"userId": "NOBODY"})
    return client.post({"userId": "U-1"})


def _broken(client: Client) -> Reply:
    client.system.users = Broken()  # type: ignore[assignment]
    return client.post({"userId": "U-1"})


def _failed(client: Client) -> str:
    job_id = client.create("U-RAISE")
    client.work(job_id)
    return job_id


def _expired(client: Client) -> Reply:
    job_id = client.complete()
    client.move_clock(86_400_000)
    return client.url(job_id)


def _gone(client: Client) -> Reply:
    job_id = client.complete()
    client.lose(job_id)
    return client.url(job_id)


def _revoked(client: Client) -> Reply:
    job_id = client.complete()
    client.system.users = _Revoked()
    return client.url(job_id)


_CANCEL = {"cancel_route": True}
_UNREACHABLE = {"database_url": "sqlite:////nowhere/at/all/jobs.db"}
_NO_POSTGRESQL = {"database_url": "postgresql+psycopg://canaryuser:canarypassword@127.0.0.1:9/canarydb"}
_SCOPES = {"create_scope": "reports:create", "read_scope": "reports:read"}
_DATABASE_DOWN = {
    "create, database down": Situation(
        503, "SERVICE_UNAVAILABLE", lambda c: c.post({"userId": "U-1"}), _UNREACHABLE, _NO_POSTGRESQL
    ),
    "key, database down": Situation(
        503, "SERVICE_UNAVAILABLE", lambda c: _with_key(c, {"userId": "U-1"}), _UNREACHABLE, _NO_POSTGRESQL
    ),
    "status, database down": Situation(
        503, "SERVICE_UNAVAILABLE", lambda c: c.status(unknown_id), _UNREACHABLE, _NO_POSTGRESQL
    ),
    "url, database down": Situation(
        503, "SERVICE_UNAVAILABLE", lambda c: c.url(unknown_id), _UNREACHABLE, _NO_POSTGRESQL
    ),
}
SITUATIONS: dict[str, Situation] = {
    "accepted": Situation(202, None, lambda c: c.post({"userId": "U-1"})),
    "pending": Situation(200, None, lambda c: c.status(c.create())),
    "complete": Situation(200, None, lambda c: c.status(c.complete())),
    "failed": Situation(200, None, lambda c: c.status(_failed(c))),
    "url": Situation(200, None, lambda c: c.url(c.complete())),
    "create without token": Situation(
        401, "UNAUTHENTICATED", lambda c: c.request("POST", c.path, headers=JSON, content=b"{}")
    ),
    "status without token": Situation(
        401, "UNAUTHENTICATED", lambda c: c.request("GET", f"{c.path}/{unknown_id}")
    ),
    "url without token": Situation(
        401, "UNAUTHENTICATED", lambda c: c.request("GET", f"{c.path}/{unknown_id}/url")
    ),
    "bad token": Situation(401, "UNAUTHENTICATED", lambda c: c.status(unknown_id, key="another key" * 5)),
    "create without scope": Situation(
        403, "INSUFFICIENT_SCOPE", lambda c: c.post({"userId": "U-1"}, scope="reports:read"), _SCOPES
    ),
    "status without scope": Situation(403, "INSUFFICIENT_SCOPE", lambda c: c.status(unknown_id), _SCOPES),
    "url without scope": Situation(403, "INSUFFICIENT_SCOPE", lambda c: c.url(unknown_id), _SCOPES),
    "other media type": Situation(415, "UNSUPPORTED_MEDIA_TYPE", _with_body(b"{}", "text/plain")),
    "body too large": Situation(413, "BODY_TOO_LARGE", _with_body(b" " * 65_537)),
    "eleventh request": Situation(429, "RATE_LIMITED", _eleven_times),
    "malformed": Situation(400, "REQUEST_INVALID", _with_body(b"{")),
    "invalid": Situation(400, "REQUEST_INVALID", _with_body(b'{"userId": "", "colour": 1}')),
    "no such user": Situation(404, "USER_NOT_FOUND", lambda c: c.post({"userId": "NOBODY"})),
    "not permitted": Situation(403, "USER_NOT_PERMITTED", lambda c: c.post({"userId": "U-STRANGER"})),
    "already active": Situation(409, "JOB_ALREADY_ACTIVE", _twice),
    "key repeated": Situation(202, None, _key_repeated),
    "key reused": Situation(422, "IDEMPOTENCY_KEY_REUSED", _key_reused),
    "key in use": Situation(409, "IDEMPOTENCY_KEY_IN_USE", _key_in_use),
    "create, unexpected fault": Situation(500, "INTERNAL_ERROR", _broken),
    "status of no job": Situation(404, "JOB_NOT_FOUND", lambda c: c.status(unknown_id)),
    "url of no job": Situation(404, "JOB_NOT_FOUND", lambda c: c.url(unknown_id)),
    "url, not complete": Situation(422, "JOB_NOT_COMPLETE", lambda c: c.url(c.create())),
    "url, failed": Situation(422, "JOB_FAILED", lambda c: c.url(_failed(c))),
    "url, expired": Situation(410, "DOCUMENT_EXPIRED", _expired),
    "url, gone": Situation(410, "DOCUMENT_GONE", _gone),
    "cancelled": Situation(200, None, lambda c: c.cancel(c.create()), _CANCEL),
    "cancel of no job": Situation(404, "JOB_NOT_FOUND", lambda c: c.cancel(unknown_id), _CANCEL),
    "cancel, ended": Situation(409, "JOB_ALREADY_ENDED", lambda c: c.cancel(c.complete()), _CANCEL),
    "cancel without scope": Situation(
        403, "INSUFFICIENT_SCOPE", lambda c: c.cancel(unknown_id, scope="reports:read"), _CANCEL | _SCOPES
    ),
    "url, revoked": Situation(403, "USER_NOT_PERMITTED", _revoked),
    **_DATABASE_DOWN,
}
"""By name; each has a fresh client with these settings."""

MALFORMED = [
    "1",
    "not-an-id",
    "None",
    "null",
    "%00",
    "%00" + unknown_id,
    unknown_id + "%00",
    "%0A",
    unknown_id + "%0A",
    unknown_id.upper(),
    "%7B" + unknown_id + "%7D",
    "urn:uuid:" + unknown_id,
    unknown_id.replace("-", ""),
    unknown_id[:-1],
    unknown_id + "0",
    "%20" + unknown_id,
    unknown_id + "%20",
    "x" * 1000,
    "%F0%9F%98%80",
    "%EF%BC%90" + unknown_id[1:],
    "%FF%FE",
    "%27%20OR%201=1--",
    "%25s%7B0%7D",
    "..%5C..%5Cetc",
    "%3Fid=1",
    "%23",
    "%5B%5D",
    "a:b@c",
]
"""What can stand in the place of an id and is none, as it is written in a path."""
