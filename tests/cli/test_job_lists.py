"""`sqr-jobs jobs`: which jobs it lists, and what it says to a slip in asking."""

import json
from datetime import datetime

import pytest

from sqr_jobs import ReportJobs
from tests.cli.operators import Run, made


def test_a_list_has_a_line_for_each_job_the_newest_first(service: ReportJobs, run: Run) -> None:
    """Of every org: an operator looks for what goes wrong, wherever it does."""
    first, second = made(service), made(service, "U-RAISE", "other")
    status, out, err = run("jobs")
    newest, oldest = out.splitlines()
    assert (status, err) == (0, "")
    assert newest.split()[0] == second.job_id
    assert datetime.fromisoformat(newest.split()[1]).tzinfo is not None
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
    _refused(run, "jobs", "--limit", limit)
    told = "argument --limit: give a whole number, at least 1, at most 10000"
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("count", ["0", "abc"])
def test_a_number_of_processes_that_is_none_is_refused(
    run: Run, count: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told in words: no name of a function in the code."""
    _refused(run, "worker", "--processes", count)
    assert "argument --processes: give a whole number, at least 1\n" in capsys.readouterr().err


def test_a_list_that_stops_at_its_limit_says_so(service: ReportJobs, run: Run) -> None:
    """On stderr, where no script reads it as a job; a list that ends there by itself says nothing."""
    for number in range(3):
        made(service, f"U-{number}", work=False)
    for form in ((), ("--json",)):
        _, out, err = run("jobs", "--limit", "2", *form)
        assert len(out.splitlines()) == 2
        assert err == "sqr-jobs: 2 shown, and there are more: --limit N, or a filter.\n"
        assert run("jobs", "--limit", "3", *form)[2] == ""


def test_a_list_has_twenty_jobs_unless_told_otherwise(service: ReportJobs, run: Run) -> None:
    """A screen of them."""
    for number in range(21):
        made(service, f"U-{number}", org=f"org-{number % 3}", work=False)
    _, out, err = run("jobs")
    assert len(out.splitlines()) == 20
    assert err.startswith("sqr-jobs: 20 shown")


def test_an_error_code_that_is_none_is_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty list would say that all is well."""
    _refused(run, "jobs", "--error", "NOSUCH")
    err = capsys.readouterr().err
    assert "NOSUCH" in err
    assert "RENDER_TIMEOUT" in err


def test_a_template_named_with_its_version_is_told_how(service: ReportJobs, run: Run) -> None:
    """The list shows both, and who copies from it must not be told that there are no such jobs."""
    made(service, work=False)
    status, out, err = run("jobs", "--template", "report v1")
    assert (status, out) == (0, "no jobs\n")
    assert "without the version" in err
    assert run("jobs", "--template", "nothing")[2] == ""


@pytest.mark.parametrize(
    "narrowed",
    [
        ("--org", "other"),
        ("--user", ""),
        ("--state", "FAILED"),
        ("--template", "report"),
        ("--error", "CANCELLED"),
        ("--limit", "20"),
    ],
)
def test_a_filter_beside_a_jobs_id_is_refused(
    service: ReportJobs, run: Run, narrowed: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """It would change nothing, and who gave it believes that it did."""
    mine = made(service, work=False)
    _refused(run, "jobs", mine.job_id, *narrowed)
    assert f"a job's id takes no filter: leave out {narrowed[0]}\n" in capsys.readouterr().err


def _refused(run: Run, *arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
