"""`sqr-jobs jobs ID`, `cancel` and `retry`: what operators see and do, across all orgs."""

import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from sqr_jobs import ReportJobs
from sqr_jobs.adapters.sql.tables import audit, job
from sqr_jobs.errors import DocumentsUnavailable
from sqr_jobs.operations import Operations
from sqr_jobs.wiring import system_of
from sqr_jobs.worker_name import worker_name
from tests.cli.operators import Run, begun, made, read
from tests.host import reports as host

_UNKNOWN = "0b4ad4b5-6b0c-4b3e-9a0e-7a3f2f6f9d11"


def test_one_job_is_shown_with_its_attempts_and_their_causes(service: ReportJobs, run: Run) -> None:
    """The text that the API never tells; upper case, as some tools copy an id."""
    mine = made(service, "U-NODATA")
    status, out, _ = run("jobs", mine.job_id.upper())
    lines = out.splitlines()
    assert status == 0
    assert f"{'job':<16}{mine.job_id}" in lines
    assert f"{'service':<16}/v1/document/api" in lines
    assert f"{'error':<16}REPORT_DATA_UNAVAILABLE" in lines
    history = lines[lines.index("") + 1 :]
    assert [line.split("  ", 1)[1].strip() for line in history[:2]] == [
        "attempt 0  new -> QUEUED (create)",
        f"attempt 1  QUEUED -> RUNNING (claim)  worker {worker_name()}",
    ]
    assert history[2].endswith("attempt 1  RUNNING -> FAILED (fail)  REPORT_DATA_UNAVAILABLE")
    assert history[3] == "    ConnectionError: no data on U-NODATA (at tests/host/reports.py:65 in load)"
    shown = json.loads(run("jobs", mine.job_id, "--json")[1])
    assert [event["why"] for event in shown["history"]] == ["create", "claim", "fail"]
    assert [event["worker"] for event in shown["history"]] == [None, worker_name(), None]
    assert shown["history"][2]["cause"] == history[3].strip()


def test_a_running_job_tells_until_when_its_worker_has_it(service: ReportJobs, run: Run) -> None:
    """Beside the present time: whether it hangs is the question at night."""
    claim = begun(service, "U-1")
    shown = _shown(run, claim.job.job_id)
    assert timedelta(0) < _instant(shown["lease until"]) - _instant(shown["as of"]) <= timedelta(seconds=30)
    assert "next try" not in shown
    told = json.loads(run("jobs", claim.job.job_id, "--json")[1])
    assert (told["leaseUntil"], told["nextTry"]) == (shown["lease until"], None)
    assert _instant(told["asOf"]) >= _instant(shown["as of"])


def test_a_job_that_waits_tells_when_it_is_tried_again(service: ReportJobs, run: Run) -> None:
    """Beside the present time, and without a lease, which nobody has."""
    claim = begun(service, "U-1", gives_back_for_s=90)
    shown = _shown(run, claim.job.job_id)
    assert shown["state"] == "RETRY_WAIT"
    assert timedelta(seconds=60) < _instant(shown["next try"]) - _instant(shown["as of"])
    assert "lease until" not in shown
    told = json.loads(run("jobs", claim.job.job_id, "--json")[1])
    assert (told["leaseUntil"], told["nextTry"]) == (None, shown["next try"])


def test_a_job_that_has_ended_has_no_present(service: ReportJobs, run: Run) -> None:
    """Nothing comes any more but the document's end."""
    shown = _shown(run, made(service).job_id)
    assert {"as of", "lease until", "next try"}.isdisjoint(shown)
    assert _instant(shown["expires"]) > _instant(shown["completed"])
    assert {"as of", "next try"} & set(_shown(run, made(service, "U-2", work=False).job_id)) == {"as of"}


def test_nothing_that_is_shown_steers_the_terminal(service: ReportJobs, run: Run) -> None:
    """Causes and orgs come from outside: escape sequences, a reversed direction, a carriage return."""
    hostile = "\x1b]0;owned\x07\x1b[2J\r\u202ered\x9b31m"
    mine = made(service, "U-RAISE", "acme")
    with system_of(service).database.begin() as connection:
        connection.execute(update(job).values(org_id=f"acme{hostile}"))
        connection.execute(
            update(audit).where(audit.c.cause.is_not(None)).values(cause=f"one\n{hostile}two\x85three")
        )
    for arguments in (("jobs",), ("jobs", mine.job_id), ("jobs", "--json"), ("jobs", mine.job_id, "--json")):
        _, out, _ = run(*arguments)
        assert {character for character in out if not character.isprintable()} == {"\n"}, arguments
    assert "\n    two" not in run("jobs", mine.job_id)[1]


@pytest.mark.parametrize("command", ["jobs", "cancel", "retry"])
@pytest.mark.parametrize("job_id", [_UNKNOWN, "1", "no id", "' OR 1=1 --"])
def test_an_id_of_no_job_is_told_so(run: Run, command: str, job_id: str) -> None:
    """A sentence on stderr and 1, for people and scripts."""
    status, out, err = run(command, job_id)
    assert (status, out) == (1, "")
    assert err == "sqr-jobs: There is no such report job. Check the id that the creation answered.\n"


def test_a_waiting_job_is_cancelled_and_twice_is_once(service: ReportJobs, run: Run) -> None:
    """Whether the route is mounted or not."""
    mine = made(service, work=False)
    for _ in range(2):
        assert run("cancel", mine.job_id) == (0, f"{mine.job_id} is CANCELLED\n", "")
    assert read(service, mine.job_id).state == "CANCELLED"


def test_a_job_that_has_ended_is_not_cancelled(service: ReportJobs, run: Run) -> None:
    """I3: a script hears that it came too late."""
    mine = made(service)
    status, out, err = run("cancel", mine.job_id)
    assert (status, out) == (1, "")
    assert err == f"sqr-jobs: Job {mine.job_id} has ended: it is COMPLETE. There is nothing to cancel.\n"


def test_a_job_that_failed_is_retried_as_a_new_one(service: ReportJobs, run: Run) -> None:
    """Beside the rate limit, which the client may have used up; the old one stays as it was."""
    mine = made(service, "U-RAISE")
    for number in range(9):
        made(service, f"U-{number}", work=False)
    status, out, _ = run("retry", mine.job_id)
    assert status == 0
    again = read(service, out.strip())
    assert (again.user_id, again.org_id, again.state) == ("U-RAISE", "acme", "QUEUED")
    assert again.document_lifetime_ms == mine.document_lifetime_ms
    assert read(service, mine.job_id).state == "FAILED"
    assert run("retry", mine.job_id)[2] == (
        f"sqr-jobs: A report for this user is already being made: job {again.job_id}. "
        "Wait for that job to end, or cancel it.\n"
    )


def test_a_job_that_did_not_fail_is_not_retried(service: ReportJobs, run: Run) -> None:
    """A complete one has its document, and an active one may still have."""
    for mine in (made(service), made(service, "U-2", work=False)):
        status, _, err = run("retry", mine.job_id)
        assert status == 1
        assert "Only a job that failed can be retried." in err


def test_a_person_without_rights_by_now_is_not_retried(
    service: ReportJobs, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host is asked again: an operator goes round the rate limit and round nothing else."""
    mine = made(service, "U-RAISE")
    monkeypatch.setattr(host.people, "not_permitted", {"U-RAISE"})
    assert run("retry", mine.job_id)[0] == 1


def test_a_service_that_is_named_nowhere_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As every command that needs one."""
    monkeypatch.delitem(os.environ, "SQR_JOBS_FACTORY")
    for arguments in (("jobs",), ("cancel", _UNKNOWN), ("erase", "--org", "a", "--user", "b", "--yes")):
        assert "SQR_JOBS_FACTORY" in run(*arguments)[2]


_EVERY_COMMAND = [("jobs",), ("jobs", _UNKNOWN), ("cancel", _UNKNOWN), ("retry", _UNKNOWN)]


@pytest.mark.parametrize("command", _EVERY_COMMAND)
def test_an_outage_tells_the_next_step(
    run: Run, command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class of a driver's says nothing to somebody who was woken."""
    monkeypatch.setitem(os.environ, "SQR_JOBS_DATABASE_URL", f"sqlite:///{tmp_path}/away/jobs.db")
    status, out, err = run(*command)
    assert (status, out) == (1, "")
    assert err == (
        "sqr-jobs: The database refused or did not answer (SQLITE_CANTOPEN: the file can't be opened). "
        "Run `sqr-jobs check`: it says which part and what to do.\n"
    )


def test_an_outage_that_says_what_to_do_says_nothing_else(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two orders are one too many."""
    monkeypatch.setitem(os.environ, "SQR_JOBS_DATABASE_URL", f"sqlite:///{tmp_path}/empty.db")
    assert run("jobs")[2].endswith("Run: sqr-jobs db upgrade\n")


def test_an_outage_without_a_text_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host's own store may raise it so."""

    def away(*_: object) -> None:
        raise DocumentsUnavailable

    monkeypatch.setattr(Operations, "retry", away)
    assert run("retry", _UNKNOWN)[2].startswith("sqr-jobs: DocumentsUnavailable. Run `sqr-jobs check`")


def _shown(run: Run, job_id: str) -> dict[str, Any]:
    """Read what is shown of a job, without its history."""
    about, _, _ = run("jobs", job_id)[1].partition("\n\n")
    return {line[:16].rstrip(): line[16:] for line in about.splitlines()}


def _instant(told: str) -> datetime:
    return datetime.fromisoformat(told)
