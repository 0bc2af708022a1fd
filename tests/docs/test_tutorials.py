"""The tutorials, done from the first step to the last."""

import hashlib
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import jwt
import pytest

from tests.docs import consoles
from tests.docs.pages import DOCS, Page
from tests.servers.ports import free_port, wait_until

_API = "/v1/document/api"
_SERVERS = {
    "fastapi": ("uvicorn", "--factory", "myapp.main:create_app", "--port"),
    "flask": ("flask", "--app", "myapp.main", "run", "--port"),
}

tutorials = pytest.mark.parametrize("name", _SERVERS)


@pytest.fixture
def page(name: str) -> Page:
    return Page.read(DOCS / "tutorial" / f"{name}.md")


@pytest.fixture
def folder(name: str, tmp_path: Path) -> Path:
    """Copy the finished application to where nothing else is."""
    application = tmp_path / "application"
    ignored = shutil.ignore_patterns("__pycache__", ".*", "*.db", "sqr-jobs-data")
    shutil.copytree(DOCS / "tutorial" / f"{name}_app", application, ignore=ignored)
    return application


@pytest.fixture
def environment(page: Page, shell_environment: dict[str, str]) -> dict[str, str]:
    """Give a terminal in which the page's `export` lines were typed."""
    return {**shell_environment, **consoles.exports(page)}


@tutorials
def test_the_applications_own_tests_pass(name: str, folder: Path, environment: dict[str, str]) -> None:
    """Step 10: a reader who copies the folder has a green suite, with every warning an error."""
    what = "tests" if name == "fastapi" else "tests/test_mount.py"  # the rest does not differ
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", what]
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout


@tutorials
def test_the_commands_print_what_the_page_says_and_a_report_is_made(
    name: str, page: Page, folder: Path, environment: dict[str, str]
) -> None:
    """Steps 7 to 9: what the page promises is what happens."""
    done = [] if name == "fastapi" else consoles.steps(Page.read(DOCS / "tutorial" / "fastapi.md"))[2:]
    for step in consoles.steps(page):
        if step not in done:  # the command line's answers do not depend on the framework
            consoles.run(step, folder, environment)
    with _serving(name, folder, environment) as client:
        assert client.get("/people").json() == ["US1", "US2", "US3"]
        job = _ended(client, _created(client, "US1"))
        assert job["status"] == "COMPLETE"
        link = client.get(f"{_API}/{job['jobId']}/url").json()["url"]
        document = httpx.get(link).content
        assert hashlib.sha256(document).hexdigest() == job["sha256"]
        assert document.startswith(b"%PDF-")
        assert _as_the_reference_does(client, "US2").startswith(b"%PDF-")
        answers = {user: client.post(_API, json={"userId": user}).status_code for user in ("US3", "US4")}
        assert answers == {"US3": 403, "US4": 404}


@tutorials
def test_what_a_client_is_not_told_stands_in_the_log(
    name: str, page: Page, folder: Path, environment: dict[str, str]
) -> None:
    """Step 9: of missing tables and of a token that does not hold, whoever runs the server learns."""
    tables, token, *_ = page.blocks("log")
    no_tables = {**environment, "MYAPP_DATABASE_URL": f"sqlite:///{folder}/empty.db"}
    consoles.run(consoles.steps(page)[0], folder, no_tables)
    with _serving(name, folder, no_tables) as client:
        assert client.post(_API, json={"userId": "US1"}).status_code == 503
        nonsense = {"Authorization": "Bearer nonsense"}
        assert client.post(_API, json={"userId": "US1"}, headers=nonsense).status_code == 401
    log = (folder / "server.log").read_text()
    assert [line for line in (tables.text + token.text).splitlines() if line not in log] == []


def test_a_template_that_raises_is_told_where_the_page_says(
    shell_environment: dict[str, str], tmp_path: Path
) -> None:
    """Step 9: the log has the place, the job's history the cause, the client neither."""
    page = Page.read(DOCS / "tutorial" / "fastapi.md")
    environment = {**shell_environment, **consoles.exports(page), "SQR_JOBS_RENDER": "inline"}
    folder = tmp_path / "application"
    shutil.copytree(DOCS / "tutorial" / "fastapi_app", folder)
    template = folder / "myapp" / "reports.py"
    broken = template.read_text().replace("format(data.name)", "format(data.nam)")
    template.write_text(broken)
    for step in consoles.steps(page)[:2]:
        consoles.run(step, folder, environment)
    with _serving("fastapi", folder, environment) as client:
        job = _ended(client, _created(client, "US1"))
    assert (job["status"], job["errorCode"]) == ("FAILED", "RENDER_FAILED")
    log = (folder / "server.log").read_text()
    line = re.search(r"reports.py:(\d+) in flowables", page.text)
    assert line is not None
    assert f"job {job['jobId']}: attempt failed: RENDER_FAILED\nAttributeError, raised at\n" in log
    assert line[0] in log
    assert "'nam'" not in log
    [command] = [block.text.strip() for block in page.blocks("sh") if "sqr-jobs jobs" in block.text]
    [shown] = [block.text for block in page.blocks("text") if "RENDER_FAILED" in block.text]
    as_here = re.sub(
        r"\d{4}-[-:T\d.]+Z|vm:804 [\d.]+", "…", re.sub(r"^job( +)\S+", rf"job\g<1>{job['jobId']}", shown)
    )
    consoles.run(
        consoles.Step(command=command, printed=as_here.strip()),
        folder,
        {**environment, "JOB": str(job["jobId"])},
    )


def test_both_tutorials_build_on_the_same_code() -> None:
    """Only the framework differs."""
    fastapi, flask = (DOCS / "tutorial" / f"{name}_app" for name in _SERVERS)
    for name in (
        "conftest.py",
        "myapp/people.py",
        "myapp/reports.py",
        "tests/test_mount.py",
        "tests/test_reports.py",
    ):
        assert (fastapi / name).read_text() == (flask / name).read_text(), name


def _as_the_reference_does(client: httpx.Client, user_id: str) -> bytes:
    """Run the client that the page on the endpoints shows, without its pauses."""
    [block] = Page.read(DOCS / "reference" / "http.md").blocks("python")
    shown: dict[str, Any] = {}
    exec(block.text, shown)
    shown["time"] = SimpleNamespace(sleep=lambda _seconds: None)
    return bytes(shown["fetch_report"](client, user_id, "a key"))


@contextmanager
def _serving(name: str, folder: Path, environment: dict[str, str]) -> Iterator[httpx.Client]:
    """Serve as the page says, but on a free port."""
    port = free_port()
    program, *arguments = _SERVERS[name]
    path = shutil.which(program, path=environment["PATH"])
    assert path is not None
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [path, *arguments, str(port)], cwd=folder, env=environment, stdout=log, stderr=log
        )
    claims = {"org": "acme", "exp": int(time.time()) + 600}
    token = jwt.encode(claims, environment["SQR_JOBS_JWT_KEY"], environment["SQR_JOBS_JWT_ALGORITHMS"])
    headers = {"Authorization": f"Bearer {token}"}
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=10) as client:
            wait_until(lambda: _answers(client), seconds=30, what=f"{program} to answer")
            yield client
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/people").status_code == 200
    except httpx.TransportError:
        return False


def _created(client: httpx.Client, user_id: str) -> str:
    answer = client.post(_API, json={"userId": user_id})
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


def _ended(client: httpx.Client, path: str) -> dict[str, object]:
    wait_until(
        lambda: client.get(path).json()["status"] in ("COMPLETE", "FAILED"), seconds=60, what="the job's end"
    )
    job: dict[str, object] = client.get(path).json()
    return job
