"""`sqr-jobs jobs`, `cancel` and `retry`: what operators see and do, across all orgs."""

import json
import os

import pytest
from sqlalchemy import update

from sqr_jobs import ReportJobs
from sqr_jobs.adapters.sql.tables import audit, job
from sqr_jobs.wiring import system_of
from tests.cli.operators import Run, made, read
from tests.host import reports as host

_UNKNOWN = "0b4ad4b5-6b0c-4b3e-9a0e-7a3f2f6f9d11"


def test_a_list_has_a_line_for_each_job_the_newest_first(service: ReportJobs, run: Run) -> None:
    """Of every org: an operator looks for what goes wrong, wherever it does."""
    first, second = made(service), made(service, "U-RAISE", "other")
    status, out, err = run("jobs")
    newest, oldest = out.splitlines()
    assert (status, err) == (0, "")
    assert newest.split()[0] == second.job_id
    assert newest.split()[2:] == ["FAILED", "other", "U-RAISE", "report", "v1", "RENDER_FAILED"]
    assert oldest.split()[0] == first.job_id
    assert oldest.split()[2:] == ["COMPLETE", "acme", "U-1", "report", "v1"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (("--org", "other"), {"U-RAISE"}),
        (("--user", "U-1"), {"U-1"}),
        (("--state", "FAILED"), {"U-RAISE", "U-BADDATA"}),
        (("--state", "FAILED", "--state", "QUEUED"), {"U-RAISE", "U-BADDATA", "U-2"}),
        (("--error", "REPORT_DATA_INVALID"), {"U-BADDATA"}),
        (("--template", "report", "--state", "COMPLETE"), {"U-1"}),
        (("--template", "nothing"), set()),
        (("--limit", "1"), {"U-2"}),
    ],
)
def test_a_list_is_narrowed_by_what_is_known(
    service: ReportJobs, run: Run, wanted: tuple[str, ...], found: set[str]
) -> None:
    """Who calls at night knows an org, a person or a code, seldom an id."""
    made(service, "U-1")
    made(service, "U-RAISE", "other")
    made(service, "U-BADDATA")
    made(service, "U-2", work=False)
    _, out, _ = run("jobs", "--json", *wanted)
    assert {json.loads(line)["user"] for line in out.splitlines()} == found


def test_no_jobs_are_told_to_people_and_are_an_empty_list_to_programs(run: Run) -> None:
    """A blank screen leaves one wondering; a program counts lines."""
    assert run("jobs") == (0, "no jobs\n", "")
    assert run("jobs", "--json") == (0, "", "")


@pytest.mark.parametrize("limit", ["0", "-1", "10001", "many"])
def test_a_limit_that_is_none_is_refused(run: Run, limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One database would take -1 for all, the other for an error."""
    with pytest.raises(SystemExit) as ended:
        run("jobs", "--limit", limit)
    assert ended.value.code == 2
    assert "--limit" in capsys.readouterr().err


def test_one_job_is_shown_with_its_attempts_and_their_causes(service: ReportJobs, run: Run) -> None:
    """The text that the API never tells; upper case, as some tools copy an id."""
    mine = made(service, "U-NODATA")
    status, out, _ = run("jobs", mine.job_id.upper())
    lines = out.splitlines()
    assert status == 0
    assert f"{'job':<16}{mine.job_id}" in lines
    assert f"{'error':<16}REPORT_DATA_UNAVAILABLE" in lines
    history = lines[lines.index("") + 1 :]
    assert [line.split("  ", 1)[1].strip() for line in history[:2]] == [
        "attempt 0  new -> QUEUED (create)",
        "attempt 1  QUEUED -> RUNNING (claim)",
    ]
    assert history[2].endswith("attempt 1  RUNNING -> FAILED (fail)  REPORT_DATA_UNAVAILABLE")
    assert any("no data on U-NODATA" in line for line in history[3:])
    shown = json.loads(run("jobs", mine.job_id, "--json")[1])
    assert [event["why"] for event in shown["history"]] == ["create", "claim", "fail"]
    assert "no data on U-NODATA" in shown["history"][2]["cause"]


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
    assert run("retry", mine.job_id)[2].startswith("sqr-jobs: A report for this user is already being made.")


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
