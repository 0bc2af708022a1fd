"""What all answers have in common."""

import json
import logging
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.host.tokens import bearer
from tests.http.answered import written
from tests.http.clients import Client
from tests.http.conftest import Answer, Serve
from tests.http.situations import SITUATIONS, Broken, unknown_id

pytestmark = pytest.mark.both_forms

_PROBLEMS = {name: situation for name, situation in SITUATIONS.items() if situation.status >= 400}
_DOWN = [name for name, situation in SITUATIONS.items() if situation.status == 503]
_ALWAYS = {"type", "title", "status", "detail", "instance", "code"}
_COUNTED = {
    "accepted",
    "eleventh request",
    "malformed",
    "invalid",
    "no such user",
    "not permitted",
    "already active",
    "create, unexpected fault",
    "create, database down",
}
_ALLOWED = {
    "already active": {"jobId", "jobStatus"},
    "cancel, ended": {"jobId", "jobStatus"},
    "url, not complete": {"jobStatus", "errorCode", "jobId"},
    "url, failed": {"jobStatus", "errorCode", "jobId"},
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_situation_has_the_status_and_code_of_the_contract(
    answer: Answer, framework: str, name: str
) -> None:
    """Clients are written against statuses and codes; the client fixture checks the rest of the shape."""
    reply = answer(framework, name).reply
    assert (reply.status, reply.code) == (SITUATIONS[name].status, SITUATIONS[name].code)


@pytest.mark.parametrize("name", _PROBLEMS)
def test_every_error_is_a_problem_with_six_members(answer: Answer, framework: str, name: str) -> None:
    """A client reads all errors with one piece of code (RFC 9457)."""
    answered = answer(framework, name)
    problem = answered.reply.json()
    assert answered.reply.headers["content-type"] == "application/problem+json"
    assert set(problem) - _ALLOWED.get(name, set()) == _ALWAYS
    assert problem["status"] == answered.reply.status
    assert problem["instance"] == answered.path
    assert problem["type"]
    assert re.fullmatch(r"[A-Z].*[a-z]", problem["title"])
    assert re.fullmatch(r"\w.*\.", problem["detail"])


@pytest.mark.parametrize("name", SITUATIONS)
def test_no_answer_may_be_stored(answer: Answer, framework: str, name: str) -> None:
    """Reports are personal data: no cache between us and the client keeps any answer."""
    assert answer(framework, name).reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", SITUATIONS)
def test_what_passed_the_rate_limit_or_was_stopped_by_it_tells_what_is_left(
    answer: Answer, framework: str, name: str
) -> None:
    """A client paces itself by these two, whatever else an answer says; a read has no limit to tell of."""
    headers = answer(framework, name).reply.headers
    is_told = {"ratelimit-policy", "ratelimit"} <= set(headers)
    assert is_told == (name in _COUNTED)
    assert is_told or not {"ratelimit-policy", "ratelimit"} & set(headers)


@pytest.mark.parametrize("name", SITUATIONS)
def test_no_field_is_null(answer: Answer, framework: str, name: str) -> None:
    """Fields that have no value are left out, so that a client need not know two kinds of nothing."""
    assert None not in answer(framework, name).reply.json().values()


def test_timestamps_are_the_databases_in_utc_with_milliseconds(client: Client) -> None:
    """Client and server agree on an instant without knowing each other's zone."""
    job_id = client.complete()
    shown = client.status(job_id).json()
    (row,) = _rows(client, "SELECT created_at, updated_at, completed_at FROM sqr_jobs_job")
    for name, stored in zip(("createdAt", "updatedAt", "completedAt"), row, strict=True):
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        assert shown[name] == (epoch + timedelta(milliseconds=stored)).strftime(
            f"%Y-%m-%dT%H:%M:%S.{stored % 1000:03d}Z"
        )


def test_an_unexpected_fault_shows_nothing_of_the_inside(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """A stack in an answer helps an attacker and no client; the operator reads it in the log."""
    client.system.users = Broken()  # type: ignore[assignment]
    reply = client.post({"userId": "U-1"})
    assert reply.status == 500
    for inside in (b"CANARY", b"SELECT", b"/etc", b"LookupError", b"Traceback", b"U-1", b"tests"):
        assert inside not in reply.body
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert f"{client.path} failed unexpectedly\nLookupError, raised at\n" in record.getMessage()
    assert re.search(r"\n  \S+/tests/http/\w+\.py:\d+ in find$", record.getMessage())
    assert "CANARY" not in written(caplog.records)  # what it says may be personal data


@pytest.mark.parametrize("path", [f"/{unknown_id}", f"/{unknown_id}/url"])
def test_an_unexpected_fault_of_a_read_is_answered_likewise(
    client: Client, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No endpoint lets a fault through to the host's own error page."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("CANARY")

    monkeypatch.setattr(client.system.intake, "find", fail)
    reply = client.status(path.removeprefix("/"))
    assert (reply.status, reply.code) == (500, "INTERNAL_ERROR")
    assert b"CANARY" not in reply.body


def test_an_unexpected_fault_names_whom_to_ask_where_a_contact_is_configured(serve: Serve) -> None:
    """A user who can do nothing else can at least write to someone."""
    client = serve(support_contact="help@reports.example")
    client.system.users = Broken()  # type: ignore[assignment]
    assert "help@reports.example" in client.post({"userId": "U-1"}).json()["detail"]


def test_other_errors_name_no_contact(serve: Serve) -> None:
    """A contact in every answer would send the client's own mistakes to support."""
    client = serve(support_contact="help@reports.example")
    assert b"help@" not in client.status(unknown_id).body


@pytest.mark.parametrize("name", _DOWN)
def test_a_database_out_of_reach_is_503_and_says_when_to_try_again(
    answer: Answer, framework: str, name: str
) -> None:
    """An outage is no fault of the request: the client waits and repeats it."""
    reply = answer(framework, name).reply
    assert reply.status == 503
    assert 1 <= int(reply.headers["retry-after"]) <= 60
    for inside in ("sqlite", "nowhere", "jobs.db", "Operational", "sqlalchemy", "canary", "127.0.0.1"):
        assert inside not in reply.body.decode()


def test_a_database_without_tables_is_503_and_the_log_says_what_to_run(
    serve: Serve,
    form: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The commonest mistake of a first start must not need a search."""
    is_embedded = form == "embedded"
    empty = f"sqlite:///{tmp_path}/empty.db" if is_embedded else request.getfixturevalue("postgres_url")
    client = serve(database_url=empty)
    assert client.post({"userId": "U-1"}).status == 503
    assert "sqr-jobs db upgrade" in caplog.text


def test_json_is_utf_8_without_escapes_that_a_person_cannot_read(client: Client) -> None:
    """A user id comes back as it was sent, whatever its script."""
    reply = client.post({"userId": "U-Ελένη-😀"})
    assert json.loads(reply.body.decode("utf-8"))["userId"] == "U-Ελένη-😀"


def _rows(client: Client, statement: str) -> list[tuple[int, ...]]:
    with client.system.database.engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_methods_and_routes_are_the_host_s(client: Client, method: str) -> None:
    """We answer for our three endpoints and for nothing else that a host serves."""
    for path in ("", f"/{unknown_id}", f"/{unknown_id}/url"):
        reply = client.request(method, client.path + path, headers=bearer())
        assert reply.status == 405
        assert reply.headers["content-type"] != "application/problem+json"
    assert client.request("GET", client.path, headers=bearer()).status == 405
    assert client.request("GET", f"{client.path}/{unknown_id}/more", headers=bearer()).status == 404
    assert client.request("GET", "/", headers=bearer()).status == 404
