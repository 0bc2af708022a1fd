"""The worker inside the web process: when it starts, and that it does the whole job."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.host import reports as host
from tests.host.tokens import bearer
from tests.http.clients import Client
from tests.http.conftest import Serve
from tests.http.situations import unknown_id
from tests.servers.ports import wait_until

_ROOT = Path(__file__).parents[2]
_MOUNTED = {
    "flask": """
from flask import Flask
from sqr_jobs_flask import create_blueprint
app = Flask("host")
app.register_blueprint(create_blueprint(report_jobs))
""",
    "fastapi": """
from fastapi import FastAPI
from sqr_jobs_fastapi import create_router
app = FastAPI()
app.include_router(create_router(report_jobs))
app.openapi()
""",
}
_TOLD = """
import os, threading, psutil
print([thread.name for thread in threading.enumerate()], psutil.Process().children())
print(os.listdir(os.environ["SQR_JOBS_DATA_DIR"]))
"""


@pytest.fixture
def threads() -> Callable[[str], int]:
    """Count the threads of a name that a test itself started."""
    before = set(threading.enumerate())
    return lambda name: sum(
        thread.name.startswith(name) and thread not in before for thread in threading.enumerate()
    )


def _ends(client: Client, job_id: str, *, seconds: float = 20) -> str:
    """Poll as a client does, until the job is terminal."""
    shown: dict[str, str] = {}

    def is_terminal() -> bool:
        shown.update(client.status(job_id).json())
        return shown["status"] in ("COMPLETE", "FAILED")

    wait_until(is_terminal, seconds=seconds, what=f"the end of job {job_id}")
    return shown["status"]


def test_nothing_starts_at_import_or_mount(framework: str, tmp_path: Path) -> None:
    """A server that forks after loading the application must not leave threads or connections behind."""
    program = f"from {host.__name__} import report_jobs\n{_MOUNTED[framework]}{_TOLD}"
    environment = {
        **os.environ,
        "SQR_JOBS_DATA_DIR": str(tmp_path),
        "SQR_JOBS_JWT_KEY": host.KEY,
        "SQR_JOBS_JWT_ALGORITHMS": "HS256",
    }
    answer = subprocess.run(
        [sys.executable, "-c", program],
        cwd=_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == "['MainThread'] []\n[]\n"


def test_it_starts_once_and_does_the_jobs(serve: Serve, threads: Callable[[str], int]) -> None:
    """However many requests come first and at once, there is one relay, one reaper and the set of workers."""
    client = serve(worker=True)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda n: client.post({"userId": f"U-{n}"}), range(8)))
    assert [reply.status for reply in replies] == [202] * 8
    assert (threads("sqr-jobs-relay"), threads("sqr-jobs-reaper")) == (1, 1)
    for reply in replies:
        assert _ends(client, reply.json()["jobId"]) == "COMPLETE"


@pytest.mark.needs("fastapi")
def test_the_lifespan_starts_it_before_any_request_and_stops_it(
    serve_on: Serve, threads: Callable[[str], int]
) -> None:
    """Jobs that were left by the process before are not kept waiting for the first visitor."""
    client = serve_on("fastapi", worker=True)
    assert threads("sqr-jobs-relay") == 1
    client.test_client.__exit__()  # type: ignore[attr-defined]
    wait_until(lambda: threads("sqr-jobs-") == 0, seconds=5, what="the end of the worker's threads")
    client.test_client.__enter__()  # type: ignore[attr-defined]  # the fixture leaves it again


@pytest.mark.needs("flask")
def test_the_first_request_starts_it_where_there_is_no_lifespan(
    serve_on: Serve, threads: Callable[[str], int]
) -> None:
    """Flask has no start of its own; any of our requests will do, even one that is refused."""
    client = serve_on("flask", worker=True)
    assert threads("sqr-jobs-") == 0
    assert client.request("GET", f"{client.path}/{unknown_id}").status == 401
    assert threads("sqr-jobs-relay") == 1


@pytest.mark.needs("fastapi")
def test_the_first_request_starts_it_in_an_application_whose_lifespan_nobody_runs(
    serve_on: Serve, threads: Callable[[str], int]
) -> None:
    """A FastAPI application that is mounted in another one never gets a lifespan."""
    client = serve_on("fastapi", worker=True, mount={"lifespan": False})
    assert threads("sqr-jobs-") == 0
    assert _ends(client, client.create()) == "COMPLETE"
    assert threads("sqr-jobs-relay") == 1


def test_jobs_from_before_the_start_are_done_too(serve: Serve) -> None:
    """A 202 of a process that died in the next instant is kept by the next process."""
    before = serve()
    job_id = before.create()
    after = serve(worker=True)
    assert _ends(after, job_id) == "COMPLETE"


def test_stopped_it_can_start_again(serve: Serve) -> None:
    """A host may stop and start it around a fork or a test."""
    client = serve(worker=True)
    assert _ends(client, client.create("U-1")) == "COMPLETE"
    client.reports.stop()
    client.reports.stop()
    client.reports.start()
    client.reports.start()
    assert _ends(client, client.create("U-2")) == "COMPLETE"


def test_with_a_broker_no_worker_starts_in_the_web_process(
    serve: Serve, redis_url: str, threads: Callable[[str], int], tmp_path: Path
) -> None:
    """There, workers are processes of their own."""
    client = serve(worker=True, broker_url=redis_url, database_url=f"sqlite:///{tmp_path}/jobs.db")
    job_id = client.create()
    assert threads("sqr-jobs-") == 0
    assert client.status(job_id).json()["status"] == "PENDING"


def test_the_whole_way_with_a_render_child(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask, poll, download: what a host gets with nothing configured but a key."""
    monkeypatch.chdir(_ROOT)
    client = serve(worker=True, render="child")
    created = client.post({"userId": "U-1"})
    assert created.status == 202
    statuses: list[str] = []

    def is_complete() -> bool:
        shown = client.request("GET", created.headers["location"], headers=bearer()).json()
        statuses.append(shown["status"])
        return shown["status"] == "COMPLETE"

    wait_until(is_complete, seconds=30, what="a document from the render child")
    order = ["PENDING", "IN_PROGRESS", "COMPLETE"]
    assert statuses == sorted(statuses, key=order.index)
    job_id = created.json()["jobId"]
    shown = client.status(job_id).json()
    content = client.follow(client.url(job_id).json()["url"]).body
    assert content.startswith(b"%PDF-")
    assert hashlib.sha256(content).hexdigest() == shown["sha256"]
    failing = client.create("U-RAISE")
    assert _ends(client, failing) == "FAILED"
    assert client.status(failing).json()["errorCode"] == "RENDER_FAILED"
