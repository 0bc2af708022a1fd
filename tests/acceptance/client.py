"""An API client of one org: asks, polls and downloads over HTTP, as the contract tells it to."""

import hashlib
import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx
import pikepdf

from tests.host.tokens import token
from tests.servers.ports import wait_until

__all__ = ["PREFIX", "Client", "Downloaded"]

PREFIX = "/v1/document/api"
_POLL_SECONDS = 0.15


@dataclass(frozen=True, kw_only=True)
class Downloaded:
    """A document as its URL served it."""

    url: str
    filename: str
    response: httpx.Response

    @property
    def content(self) -> bytes:
        """The bytes of the PDF."""
        return self.response.content


class Client:
    """One org's client of one web server; threads may share it."""

    def __init__(self, base_url: str, org: str = "acme") -> None:
        self.org = org
        self.token = token(org)
        self._http = httpx.Client(
            base_url=base_url,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=20,
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),  # servers come and go in these tests
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def forge_token(self) -> None:
        """Sign the token with another key from now on."""
        forged = token(self.org, key="not the secret that the service knows, but as long")
        self._http.headers["Authorization"] = f"Bearer {forged}"

    def ask(self, user_id: str, **more: object) -> httpx.Response:
        """Ask for a report on a user."""
        return self._http.post(PREFIX, json={"userId": user_id, **more})

    def accepted(self, user_id: str, **more: object) -> str:
        """Ask for a report that must be accepted, and return the job's id."""
        response = self.ask(user_id, **more)
        assert response.status_code == 202, f"{user_id}: {response.status_code} {response.text}"
        return str(response.json()["jobId"])

    def look(self, job_id: str) -> httpx.Response:
        """Ask once how a job stands."""
        return self._http.get(f"{PREFIX}/{job_id}")

    def status(self, job_id: str) -> dict[str, Any]:
        """Ask once how a job stands, and return its JSON."""
        response = self.look(job_id)
        assert response.status_code == 200, f"{response.status_code} {response.text}"
        return dict(response.json())

    def end(self, job_id: str, *, seconds: float = 30) -> dict[str, Any]:
        """Poll until the job has ended; its status must never go backwards meanwhile (I13)."""
        order = ["PENDING", "IN_PROGRESS", "COMPLETE"]
        seen = [self.status(job_id)]

        def ended() -> bool:
            seen.append(self.status(job_id))
            before, now = seen[-2]["status"], seen[-1]["status"]
            assert now == "FAILED" or order.index(before) <= order.index(now), f"{before} -> {now}"
            return now in ("COMPLETE", "FAILED")

        wait_until(_not_too_often(ended), seconds=seconds, what=f"the end of job {job_id}")
        return seen[-1]

    def complete(self, job_id: str, *, seconds: float = 30) -> dict[str, Any]:
        """Poll until the job has ended, which must be well."""
        job = self.end(job_id, seconds=seconds)
        assert job["status"] == "COMPLETE", job
        return job

    def ask_url(self, job_id: str) -> httpx.Response:
        """Ask for the document's URL."""
        return self._http.get(f"{PREFIX}/{job_id}/url")

    def download(self, job_id: str) -> Downloaded:
        """Fetch the document through its URL, without a token; it must be the one that the job tells (I5)."""
        answer = self.ask_url(job_id)
        assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
        body = answer.json()
        assert body["expiresInSeconds"] == 300
        response = httpx.get(body["url"], timeout=20, trust_env=False)
        assert response.status_code == 200, response.text
        job = self.status(job_id)
        assert hashlib.sha256(response.content).hexdigest() == job["sha256"]
        assert len(response.content) == job["sizeBytes"]
        with pikepdf.open(io.BytesIO(response.content)) as pdf:
            assert len(pdf.pages) >= 1
        return Downloaded(url=body["url"], filename=body["filename"], response=response)


def _not_too_often(condition: Callable[[], bool]) -> Callable[[], bool]:
    """Ask a server now and then only: a hundred clients that poll at full speed would be a load test."""
    next_at = time.monotonic()

    def asked() -> bool:
        nonlocal next_at
        if time.monotonic() < next_at:
            return False
        answer = condition()
        next_at = time.monotonic() + _POLL_SECONDS
        return answer

    return asked
