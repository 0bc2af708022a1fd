"""The whole flow over real HTTP, as a client sees it: ask, poll, download."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from sqr_jobs.errors import SqrJobsError

__all__ = ["FlowFailed", "run_flow"]

_PATH = "/v1/document/api"
_POLL_S = 0.1


class FlowFailed(SqrJobsError):
    """The demo's own server did not do what the contract says."""


def run_flow(
    address: str, token: str, user_id: str, folder: Path, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Ask for a report, poll until it ends, download it and check its bytes.

    Returns the last answers, the path of the PDF and the seconds it took. Raises `FlowFailed`.
    """
    began = time.monotonic()
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=address, headers=headers, timeout=10) as client:
        tell(f"POST {_PATH}")
        answer = _expect(client.post(_PATH, json={"userId": user_id}), 202)
        job = answer.json()
        job = _poll(client, answer.headers["Location"], job, tell)
        if job["status"] != "COMPLETE":
            raise FlowFailed(f"the job ended as {job['status']}: {job.get('errorCode')}")
        tell(f"GET  {_PATH}/{job['jobId']}/url")
        download = _expect(client.get(f"{_PATH}/{job['jobId']}/url"), 200).json()
    content = _expect(httpx.get(download["url"], timeout=30), 200).content
    if len(content) != job["sizeBytes"] or hashlib.sha256(content).hexdigest() != job["sha256"]:
        raise FlowFailed("the downloaded bytes are not those that the job tells of")
    folder.mkdir(parents=True, exist_ok=True)
    pdf = folder / download["filename"]
    pdf.write_bytes(content)
    seconds = round(time.monotonic() - began, 3)
    return {"job": job, "download": download, "pdf": str(pdf.resolve()), "seconds": seconds}


def _poll(
    client: httpx.Client, location: str, job: dict[str, Any], tell: Callable[[str], None]
) -> dict[str, Any]:
    seen = None
    while True:
        if job["status"] != seen:
            seen = job["status"]
            tell(f"     {seen}")
        if seen in ("COMPLETE", "FAILED"):
            return job
        time.sleep(_POLL_S)  # a person is watching; a client that is not follows Retry-After
        job = _expect(client.get(location), 200).json()


def _expect(answer: httpx.Response, status: int) -> httpx.Response:
    if answer.status_code != status:
        raise FlowFailed(f"{answer.request.method} answered {answer.status_code}: {answer.text[:500]}")
    return answer
