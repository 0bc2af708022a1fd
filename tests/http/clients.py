"""One tiny client over both frameworks: what the suite knows of Flask and FastAPI."""

import functools
import hashlib
import io
import json as jsonlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from sqr_jobs import ReportJobs
from sqr_jobs.ports import ProducedDocument
from sqr_jobs.wiring import System, system_of
from tests.host.tokens import bearer
from tests.http import contract

__all__ = ["HOST", "JSON", "PREFIX", "Client", "Reply", "Stream", "recording", "reply_of"]

HOST = "reports.example"
PREFIX = "/v1/document/api"
JSON = {"Content-Type": "application/json"}

Headers = dict[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Reply:
    """An answer; header names in lower case, one that came twice joined by a comma."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return jsonlib.loads(self.body)

    @property
    def code(self) -> str | None:
        """The problem's code."""
        return self.json().get("code") if self.status >= 400 else None


class Stream:
    """A request body that a client sends bit by bit and a test counts; `hangs_up`: never to its end."""

    def __init__(self, chunks: Iterable[bytes], *, hangs_up: bool = False) -> None:
        self.hangs_up = hangs_up
        self._chunks = iter(chunks)
        self._left = b""
        self.taken = 0

    def chunk(self) -> bytes:
        """Give the next chunk; nothing at the end."""
        chunk = next(self._chunks, b"")
        self.taken += len(chunk)
        return chunk

    def read(self, size: int = -1) -> bytes:
        """Give at most `size` bytes, as `wsgi.input` does."""
        assert size >= 0, "a read without a limit takes whatever is sent"
        while len(self._left) < size and (chunk := next(self._chunks, b"")):
            self._left += chunk
        given, self._left = self._left[:size], self._left[size:]
        self.taken += len(given)
        return given


class Client(ABC):
    """A client of an application in which the service is mounted; safe to use from several threads."""

    def __init__(self, reports: ReportJobs, *, root: str = "", prefix: str = PREFIX) -> None:
        self.reports = reports
        self.keeps_contract = True
        self.last_path = ""
        self.root = root
        self.path = root + prefix

    @property
    def system(self) -> System:
        return system_of(self.reports)

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Headers | None = None,
        json: Any = None,
        content: bytes | None = None,
    ) -> Reply:
        """Send one request; `json` brings its media type along.

        Whatever one of the three endpoints answers to any test is held against the contract here.
        """
        pairs = list(headers.items() if isinstance(headers, dict) else headers or ())
        if json is not None:
            content = jsonlib.dumps(json).encode()
            pairs.append(("Content-Type", "application/json"))
        self.last_path = path
        reply = self._send(method, path, pairs, content)
        described = contract.operation(method, path.removeprefix(self.path)) if self._is_ours(path) else None
        if described is not None:
            contract.assert_kept(described, reply)
        return reply

    def _is_ours(self, path: str) -> bool:
        return self.keeps_contract and f"{path}/".startswith(f"{self.path}/")

    @abstractmethod
    def _send(
        self, method: str, path: str, headers: list[tuple[str, str]], content: bytes | None
    ) -> Reply: ...

    @abstractmethod
    def stream(self, path: str, headers: dict[str, str], body: Stream, *, length: int | None) -> Reply:
        """Post a body that is sent as it is asked for; without a length it is chunked."""

    def post(self, body: Any, *, org: str = "acme", **claims: Any) -> Reply:
        """Create a job from a body."""
        return self.request("POST", self.path, headers=bearer(org, **claims), json=body)

    def create(self, user_id: str = "U-1", *, org: str = "acme") -> str:
        """Create a job that is accepted, and return its id."""
        reply = self.post({"userId": user_id}, org=org)
        assert reply.status == 202, reply.body
        return str(reply.json()["jobId"])

    def status(self, job_id: str, *, org: str = "acme", **claims: Any) -> Reply:
        """Ask for a job."""
        return self.request("GET", f"{self.path}/{job_id}", headers=bearer(org, **claims))

    def cancel(self, job_id: str, *, org: str = "acme", **claims: Any) -> Reply:
        """Ask for a job not to be made."""
        return self.request("DELETE", f"{self.path}/{job_id}", headers=bearer(org, **claims))

    def url(self, job_id: str, *, org: str = "acme", **claims: Any) -> Reply:
        """Ask for a job's URL."""
        return self.request("GET", f"{self.path}/{job_id}/url", headers=bearer(org, **claims))

    def follow(self, url: str, method: str = "GET", headers: dict[str, str] | None = None) -> Reply:
        """Send a request to the absolute address of a document, without a token.

        The address is one of this application, or of the configured bucket's server.
        """
        parts = urlsplit(url)
        bucket = self.system.settings.s3_endpoint_url
        if bucket is not None and url.startswith(f"{bucket}/"):
            answer = httpx.request(method, url, headers=headers, trust_env=False, timeout=10)
            return reply_of(answer.status_code, answer.headers.multi_items(), answer.content)
        assert (parts.scheme, parts.netloc) == ("http", HOST), url
        return self._send(method, f"{parts.path}?{parts.query}", list((headers or {}).items()), None)

    def work(self, job_id: str | None = None) -> bool:
        """Make one attempt at a job here and now, as a worker would."""
        service = self.system.service()
        try:
            return service.processor.process(job_id)
        finally:
            service.stop()

    def complete(self, user_id: str = "U-1", *, org: str = "acme") -> str:
        """Create a job and have its document made."""
        job_id = self.create(user_id, org=org)
        assert self.work(job_id)
        assert self.status(job_id, org=org).json()["status"] == "COMPLETE"
        return job_id

    def lose(self, job_id: str, *, org: str = "acme") -> None:
        """Delete a job's document from the store behind the service's back."""
        job = self.system.intake.find(org, job_id)
        assert job is not None
        assert job.document is not None
        self.system.documents.delete(job.document.key)

    def replace_document(self, job_id: str, content: bytes, *, org: str = "acme") -> None:
        """Put other bytes in a document's place behind the service's back."""
        job = self.system.intake.find(org, job_id)
        assert job is not None
        assert job.document is not None
        digest = hashlib.sha256(content).hexdigest()
        other = ProducedDocument(
            file=io.BytesIO(content), size=len(content), sha256=digest, release=lambda: None
        )
        self.system.documents.put(job.document.key, other, until=lambda: 10.0)

    def move_clock(self, milliseconds: int) -> None:
        """Let time pass on the database's clock."""
        self.system.database.clock_offset_ms += milliseconds


def recording(factory: Any) -> tuple[Callable[[], ReportJobs], Any]:
    """Remember what a host's factory returned, without changing its name; a built service stays as it is."""
    if isinstance(factory, ReportJobs):
        return lambda: factory, factory
    made: list[ReportJobs] = []

    @functools.wraps(factory)
    def remembering() -> ReportJobs:
        made.append(factory())
        return made[-1]

    return lambda: made[-1], remembering


def reply_of(status: int, headers: Iterable[tuple[str, str]], body: bytes) -> Reply:
    joined: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        joined[key] = f"{joined[key]}, {value}" if key in joined else value
    return Reply(status=status, headers=joined, body=body)
