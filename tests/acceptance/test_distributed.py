"""The distributed form in full: two web servers, two workers, real stores, and a hundred people."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import make_url

from tests.acceptance import canaries
from tests.acceptance.client import Client
from tests.acceptance.crowd import Fetched, fetch_all, names_in
from tests.acceptance.deployment import Deployment, Web
from tests.acceptance.figures import Measured
from tests.acceptance.fixtures import QUICK, own_places, store_in
from tests.acceptance.lawful import assert_lawful, ways
from tests.acceptance.overheard import overhear
from tests.host.reports import KEY
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Bucket, S3Server

_ORGS, _USERS = 20, 5


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A running deployment, and what happened in it."""

    deployment: Deployment
    webs: list[Web]
    bucket: S3Bucket
    database_password: str
    reports: list[Fetched]
    mishaps: dict[str, dict[str, Any]]
    """Jobs that failed, by user; their errors hold a person's name."""
    overheard: list[str]
    """Every command that any client sent to Redis."""
    seconds: float


@pytest.fixture(scope="module")
def operation(
    postgres_server: PostgresServer,
    redis_server: RedisServer,
    s3_server: S3Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Operation]:
    """Run everything once; the tests look at what came of it."""
    folder = tmp_path_factory.mktemp("distributed")
    with (
        own_places(postgres_server, redis_server, s3_server) as (url, bucket),
        Deployment.distributed(
            folder, postgres_url=url, redis_url=redis_server.url, bucket=bucket, **QUICK, rate_limit=10
        ) as deployment,
    ):
        deployment.log_level = "debug"
        deployment.run("db", "upgrade")
        deployment.worker()
        deployment.dramatiq()
        webs = [deployment.fastapi(), deployment.flask()]
        with overhear(redis_server.url) as overheard:
            began = time.monotonic()
            reports = fetch_all(webs, orgs=_ORGS, users=_USERS)
            seconds = time.monotonic() - began
            with webs[0].client("mishaps") as client:
                users = ["U-RAISE", "U-ODD", "U-BADDATA", "U-NODATA"]
                jobs = {user: client.accepted(user) for user in users}
                mishaps = {user: client.end(job_id) for user, job_id in jobs.items()}
        yield Operation(
            deployment=deployment,
            webs=webs,
            bucket=bucket,
            database_password=make_url(url).password or "",
            reports=reports,
            mishaps=mishaps,
            overheard=overheard,
            seconds=seconds,
        )


def test_a_hundred_people_of_twenty_orgs_all_get_their_reports(
    operation: Operation, measured: Measured
) -> None:
    """It is what the library is for: whoever is accepted is served, by any of the processes."""
    measured("for a hundred reports, asked for at once", operation.seconds)
    assert len(operation.reports) == _ORGS * _USERS
    assert len({report.job["jobId"] for report in operation.reports}) == _ORGS * _USERS
    for report in operation.reports:
        assert report.job["templateVersion"] == "v1"
        assert report.job["attempts"] == 1
        history = operation.deployment.history(report.job["jobId"])
        assert_lawful(history)
        assert ways(history) == ["create", "claim", "complete"]


def test_each_document_tells_of_its_own_person_alone(operation: Operation) -> None:
    """Reports that are made side by side must never mix."""
    for report in operation.reports:
        assert names_in(report.downloaded.content) == {report.name}


def test_both_kinds_of_worker_took_part(operation: Operation) -> None:
    """Dramatiq's own command line serves as well as ours."""
    workers = [program for program in operation.deployment.programs if program.name in ("worker", "dramatiq")]
    assert [program.name for program in workers] == ["worker", "dramatiq"]
    for program in workers:
        assert "RUNNING -> COMPLETE" in program.said()


def test_a_download_says_what_it_is_and_how_to_save_it(operation: Operation) -> None:
    """A browser saves the file under a name for people, whatever the object is called (RFC 6266)."""
    for report in operation.reports:
        headers, filename = report.downloaded.response.headers, report.downloaded.filename
        assert filename.startswith(f"SQR_J_Bloggs{report.user_id.replace('-', '')}_")
        assert filename.endswith(".pdf")
        assert headers["Content-Type"] == "application/pdf"
        assert headers["Content-Disposition"].startswith(f'attachment; filename="{filename}"')
        assert f"filename*=UTF-8''{filename}" in headers["Content-Disposition"]


def test_an_org_does_not_see_the_jobs_of_another(operation: Operation) -> None:
    """To everyone else a job does not exist (I10)."""
    theirs = operation.reports[0].job["jobId"]
    for web in operation.webs:
        with web.client("org-1") as client:
            for answer in (client.look(theirs), client.ask_url(theirs)):
                assert answer.status_code == 404
                assert answer.json()["code"] == "JOB_NOT_FOUND"


def test_a_url_is_refused_once_its_time_is_over(operation: Operation) -> None:
    """The server that holds the bytes says no; nobody has to believe in our clock."""
    store = store_in(operation.bucket)
    report = operation.reports[0]
    document = operation.deployment.job(report.job["jobId"], report.org).document
    assert document is not None
    url = store.url(document.key, filename="short.pdf", expires_s=5, origin="")
    assert _get(url).status_code == 200
    wait_until(lambda: _get(url).status_code != 200, seconds=12, what="the end of the URL's time")
    assert _get(url).status_code in (400, 403)
    assert b"%PDF" not in _get(url).content


@pytest.mark.parametrize(
    ("what", "by"),
    [
        ("X-Amz-Expires=300", "X-Amz-Expires=3000"),
        ("attachment", "inline"),
        ("application%2Fpdf", "text%2Fhtml"),
        ("1-", "2-"),
        ("X-Amz-Signature=", "X-Amz-Signature=0"),
        ("X-Amz-Signature=", "X-Amz-Nothing="),
    ],
    ids=["longer", "inline", "type", "key", "signature", "unsigned"],
)
def test_a_url_that_was_changed_is_refused(operation: Operation, what: str, by: str) -> None:
    """What was granted is this object, by this name and until then, and nothing else."""
    url = operation.reports[1].downloaded.url
    assert _get(url).status_code == 200
    assert what in url
    answer = _get(url.replace(what, by, 1))
    assert answer.status_code in (400, 403)
    assert b"%PDF" not in answer.content


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
def test_a_url_serves_for_reading_only(operation: Operation, method: str) -> None:
    """Whoever has a link can't put another document in its place."""
    report = operation.reports[2]
    answer = httpx.request(method, report.downloaded.url, content=b"%PDF-other", trust_env=False)
    assert answer.status_code in (400, 403, 405)
    assert _get(report.downloaded.url).content == report.downloaded.content


def test_the_jobs_that_failed_say_why(operation: Operation) -> None:
    """They are what could put personal data into logs, so they must have happened."""
    codes = {user: job.get("errorCode") for user, job in operation.mishaps.items()}
    assert codes == {
        "U-RAISE": "RENDER_FAILED",
        "U-ODD": "RENDER_FAILED",
        "U-BADDATA": "REPORT_DATA_INVALID",
        "U-NODATA": "REPORT_DATA_UNAVAILABLE",
    }


def test_no_log_holds_a_name_a_token_a_url_or_a_key(operation: Operation) -> None:
    """Many read logs, for years: even at DEBUG, nothing in them opens or tells anything (I15)."""
    lines = canaries.seen_by(operation.deployment.programs)
    assert any("DEBUG" in line for line in lines)
    assert operation.database_password
    assert any(operation.reports[0].job["jobId"] in line for line in lines)
    secrets = {
        "the key of tokens": KEY,
        "the key of the bucket": operation.bucket.secret_key,
        "the password of the database": operation.database_password,
        "a signed URL": "X-Amz-Signature",
        "the header of a token": "Bearer ey",
    }
    assert canaries.found_in(lines, canaries.of_reports(operation.reports) | secrets) == {}


def test_redis_hears_of_no_person(operation: Operation) -> None:
    """A message says that there is work, and a limit counts an org: the broker needs no more (I15)."""
    ours = [report.job["jobId"] for report in operation.reports]
    assert any(job_id in command for command in operation.overheard for job_id in ours)
    users = {f"the user {report.user_id}": f"{report.user_id}'" for report in operation.reports}
    of_reports = canaries.of_reports(operation.reports)
    assert canaries.found_in(operation.overheard, of_reports | users) == {}


def test_the_database_tells_its_version(operation: Operation) -> None:
    """An operator sees at a glance whether an upgrade is due."""
    said = operation.deployment.run("db", "current")
    at, needed = said.removeprefix("database at ").strip().split(", needed ")
    assert at == needed


def test_the_check_finds_everything_in_order(operation: Operation) -> None:
    """Real servers, real workers, the real render child: a line each, and none of them a fault or a note."""
    lines = operation.deployment.run("check").splitlines()
    assert len(lines) == 15
    assert [line for line in lines if not line.startswith("ok ")] == []
    [workers] = [line for line in lines if line.startswith("ok    workers")]
    assert "2 consuming, on this database: " in workers


def test_each_worker_tells_once_what_it_works_on(operation: Operation) -> None:
    """Whichever command started it."""
    for program in operation.deployment.programs:
        told = [line for line in program.said().splitlines() if "the worker runs: " in line]
        assert len(told) == (program.name in ("worker", "dramatiq"))
        for line in told:
            assert "database postgresql, broker redis, documents in a bucket, templates report v1" in line
            assert line.endswith("; 2 threads")


def test_a_wrong_token_is_refused_by_both_servers(operation: Operation) -> None:
    """The two adapters answer alike."""
    answers = []
    for web in operation.webs:
        with Client(web.url) as client:
            client.forge_token()
            answers.append(client.ask("U1"))
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].json() == answers[1].json()
    assert answers[0].headers["WWW-Authenticate"] == answers[1].headers["WWW-Authenticate"]


def _get(url: str) -> httpx.Response:
    return httpx.get(url, timeout=10, trust_env=False)
