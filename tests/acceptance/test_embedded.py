"""The embedded form in full: workers inside the web processes, one SQLite file and one folder for all."""

import itertools
import signal
import time
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest

from tests.acceptance import canaries
from tests.acceptance.crowd import fetch_all, names_in
from tests.acceptance.deployment import Deployment, Web
from tests.acceptance.figures import Measured
from tests.acceptance.fixtures import ClientOf
from tests.acceptance.lawful import assert_lawful, ways
from tests.host.reports import FACTORY, KEY
from tests.servers.ports import free_port, wait_until

Start = Callable[..., Web]


@pytest.fixture(params=["fastapi", "flask"])
def start(embedded: Deployment, request: pytest.FixtureRequest) -> Start:
    """Start a web server with two worker processes, of each framework."""
    return getattr(embedded, str(request.param))


def test_two_web_processes_share_a_file_and_a_folder(
    embedded: Deployment, start: Start, measured: Measured
) -> None:
    """Without any server beside it, a host with two web processes loses and mixes nothing."""
    web = start(workers=2)
    began = time.monotonic()
    reports = fetch_all([web], orgs=5, users=3)
    measured("for fifteen reports, asked for at once", time.monotonic() - began)
    for report in reports:
        assert names_in(report.downloaded.content) == {report.name}
        assert report.downloaded.response.headers["Content-Type"] == "application/pdf"
        disposition = report.downloaded.response.headers["Content-Disposition"]
        assert disposition.startswith(f'attachment; filename="{report.downloaded.filename}"')
        assert_lawful(embedded.history(report.job["jobId"]))
        assert ways(embedded.history(report.job["jobId"])) == ["create", "claim", "complete"]


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["asked", "killed"])
def test_jobs_that_wait_at_a_restart_complete(
    embedded: Deployment, start: Start, client_of: ClientOf, end: signal.Signals, measured: Measured
) -> None:
    """A 202 is a promise that outlives the process that gave it (I1)."""
    # Given jobs that run on every thread of both processes, and more that wait behind them
    embedded.configure(shutdown_grace_s=4)
    port = free_port()
    web = start(workers=2, port=port)
    client = client_of(web)
    running = [f"U-WAIT-{number}" for number in range(4)]
    jobs = {user: client.accepted(user) for user in running}

    def all_run() -> bool:
        client.status(jobs["U-WAIT-0"])  # a Flask process begins to work with its first request
        return all(embedded.has_begun(user) for user in running)

    wait_until(all_run, seconds=30, what="attempts on all threads")
    jobs |= {user: client.accepted(user) for user in ("U1", "U2", "U3")}
    # When the server ends, and starts again
    web.program.signal_group(end)
    web.program.wait(seconds=20)
    assert all(embedded.job(job_id).is_active for job_id in jobs.values())
    for user in running:
        embedded.let_go(user)
    start(workers=2, port=port)
    # Then all of them complete
    began = time.monotonic()
    for job_id in jobs.values():
        client.complete(job_id)
        client.download(job_id)
        assert_lawful(embedded.history(job_id))
    measured("from the restart to the end of all jobs", time.monotonic() - began)
    if end == signal.SIGTERM:
        assert {embedded.job(job_id).crashes for job_id in jobs.values()} == {0}


def test_a_link_of_the_folder_serves_what_it_was_made_for_only(
    embedded: Deployment, client_of: ClientOf
) -> None:
    """The embedded form's own links are held to what S3 holds its URLs to."""
    client = client_of(embedded.fastapi())
    job_id = client.accepted("U1")
    client.complete(job_id)
    url = urlsplit(client.download(job_id).url)
    fields = dict(parse_qsl(url.query))
    changed = [{**fields, name: _with_another_letter(value)} for name, value in fields.items()]
    without = [{other: fields[other] for other in fields if other != name} for name in fields]
    for query in [*changed, *without, {**fields, "more": "1"}, {}]:
        answer = httpx.get(url._replace(query=urlencode(query)).geturl(), trust_env=False)
        assert answer.status_code in (403, 404), query
        assert b"%PDF" not in answer.content
    for method in ("PUT", "DELETE", "POST"):
        assert httpx.request(method, url.geturl(), trust_env=False).status_code == 405


def test_no_log_of_the_embedded_form_holds_a_name_a_token_a_link_or_a_key(
    embedded: Deployment, client_of: ClientOf
) -> None:
    """Here the server's access log sees each link that is fetched: it must not tell who it is about (I15)."""
    embedded.log_level = "debug"
    web = embedded.fastapi()
    reports = fetch_all([web], orgs=2, users=1)
    client = client_of(web, "mishaps")
    for user in ("U-RAISE", "U-ODD", "U-BADDATA"):
        client.end(client.accepted(user))
    lines = canaries.seen_by(embedded.programs)
    assert any(reports[0].job["jobId"] in line for line in lines)
    link_key = (embedded.folder / "data" / "link-key").read_text(encoding="utf-8")
    secrets = {"the key of tokens": KEY, "the key of links": link_key, "a token": "Bearer ey"}
    of_reports = canaries.of_reports(reports)
    urls = {what: secret for what, secret in of_reports.items() if what.startswith("the URL of")}
    others = {what: secret for what, secret in of_reports.items() if what not in urls}
    assert canaries.found_in(lines, others | secrets) == {}
    ours = [line for line in lines if "GET /v1/document/api/files" not in line]
    assert canaries.found_in(ours, urls) == {}


def _with_another_letter(value: str) -> str:
    """Change a letter in the middle, where every bit of it counts."""
    middle = len(value) // 2
    return value[:middle] + ("0" if value[middle] != "0" else "1") + value[middle + 1 :]


def test_the_command_line_makes_the_tables_that_the_service_needs(
    embedded: Deployment, client_of: ClientOf
) -> None:
    """The two commands of the tutorial are enough."""
    embedded.configure(database_url=f"sqlite:///{embedded.folder}/other.db")
    for command in itertools.repeat(["db", "upgrade", "--factory", FACTORY], 2):
        assert "needed" in embedded.run(*command)
    client = client_of(embedded.flask())
    client.complete(client.accepted("U1"))
