"""`sqr-jobs jobs`, `cancel`, `retry` and `erase`: what operators see and do, across all orgs."""

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from sqr_jobs import Caller, Job, ReportJobs, migrations
from sqr_jobs.adapters.local_documents import LocalDocumentStore
from sqr_jobs.adapters.sql.tables import audit, job
from sqr_jobs.cli import main
from sqr_jobs.errors import DocumentsUnavailable
from sqr_jobs.wiring import system_of
from tests.cli.commands import environment
from tests.host import reports as host

Run = Callable[..., tuple[int, str, str]]

_UNKNOWN = "0b4ad4b5-6b0c-4b3e-9a0e-7a3f2f6f9d11"


class _Terminal(io.StringIO):
    """A keyboard with somebody at it."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def _tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    with pytest.MonkeyPatch.context() as variables:
        variables.setattr(os, "environ", environment(folder, factory=host.FACTORY, data_dir=folder))
        database = system_of(host.report_jobs()).database
        migrations.upgrade(database.engine)
        database.close()
    return folder / "jobs.db"


@pytest.fixture
def service(_tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReportJobs]:
    """Give a service on an empty database, which the commands find by their environment."""
    (tmp_path / "jobs.db").write_bytes(_tables.read_bytes())
    settings = {"factory": host.FACTORY, "data_dir": tmp_path, "render": "inline", "max_failures": 1}
    monkeypatch.setattr(os, "environ", environment(tmp_path, **settings))
    made = host.report_jobs()
    made.parts.worker.start = lambda: None  # type: ignore[method-assign]
    yield made
    system_of(made).database.close()


@pytest.fixture
def run(service: ReportJobs, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command: its exit status, and what it printed on stdout and stderr."""

    def command(*arguments: str) -> tuple[int, str, str]:
        status = main(arguments)
        said = capsys.readouterr()
        return status, said.out, said.err

    return command


def _made(service: ReportJobs, user_id: str = "U-1", org: str = "acme", *, work: bool = True) -> Job:
    created = service.create(Caller(org_id=org), user_id=user_id)
    if work:
        parts = system_of(service).service()
        assert parts.processor.process(created.job_id)
        parts.stop()
    return created


def _refuse(_store: object, _key: str) -> None:
    raise DocumentsUnavailable("The store is away.")


def _read(service: ReportJobs, job_id: str) -> Job:
    found = system_of(service).intake.find("acme", job_id)
    assert found is not None
    return found


def test_a_list_has_a_line_for_each_job_the_newest_first(service: ReportJobs, run: Run) -> None:
    """Of every org: an operator looks for what goes wrong, wherever it does."""
    first, second = _made(service), _made(service, "U-RAISE", "other")
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
    _made(service, "U-1")
    _made(service, "U-RAISE", "other")
    _made(service, "U-BADDATA")
    _made(service, "U-2", work=False)
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
    made = _made(service, "U-NODATA")
    status, out, _ = run("jobs", made.job_id.upper())
    lines = out.splitlines()
    assert status == 0
    assert f"{'job':<16}{made.job_id}" in lines
    assert f"{'error':<16}REPORT_DATA_UNAVAILABLE" in lines
    history = lines[lines.index("") + 1 :]
    assert [line.split("  ", 1)[1].strip() for line in history[:2]] == [
        "attempt 0  new -> QUEUED (create)",
        "attempt 1  QUEUED -> RUNNING (claim)",
    ]
    assert history[2].endswith("attempt 1  RUNNING -> FAILED (fail)  REPORT_DATA_UNAVAILABLE")
    assert any("no data on U-NODATA" in line for line in history[3:])
    shown = json.loads(run("jobs", made.job_id, "--json")[1])
    assert [event["why"] for event in shown["history"]] == ["create", "claim", "fail"]
    assert "no data on U-NODATA" in shown["history"][2]["cause"]


def test_nothing_that_is_shown_steers_the_terminal(service: ReportJobs, run: Run) -> None:
    """Causes and orgs come from outside: escape sequences, a reversed direction, a carriage return."""
    hostile = "\x1b]0;owned\x07\x1b[2J\r\u202ered\x9b31m"
    made = _made(service, "U-RAISE", "acme")
    with system_of(service).database.begin() as connection:
        connection.execute(update(job).values(org_id=f"acme{hostile}"))
        connection.execute(
            update(audit).where(audit.c.cause.is_not(None)).values(cause=f"one\n{hostile}two\x85three")
        )
    for arguments in (("jobs",), ("jobs", made.job_id), ("jobs", "--json"), ("jobs", made.job_id, "--json")):
        _, out, _ = run(*arguments)
        assert {character for character in out if not character.isprintable()} == {"\n"}, arguments
    assert "\n    two" not in run("jobs", made.job_id)[1]


@pytest.mark.parametrize("command", ["jobs", "cancel", "retry"])
@pytest.mark.parametrize("job_id", [_UNKNOWN, "1", "no id", "' OR 1=1 --"])
def test_an_id_of_no_job_is_told_so(run: Run, command: str, job_id: str) -> None:
    """A sentence on stderr and 1, for people and scripts."""
    status, out, err = run(command, job_id)
    assert (status, out) == (1, "")
    assert err == "sqr-jobs: There is no such report job. Check the id that the creation answered.\n"


def test_a_waiting_job_is_cancelled_and_twice_is_once(service: ReportJobs, run: Run) -> None:
    """Whether the route is mounted or not."""
    made = _made(service, work=False)
    for _ in range(2):
        assert run("cancel", made.job_id) == (0, f"{made.job_id} is CANCELLED\n", "")
    assert _read(service, made.job_id).state == "CANCELLED"


def test_a_job_that_has_ended_is_not_cancelled(service: ReportJobs, run: Run) -> None:
    """I3: a script hears that it came too late."""
    made = _made(service)
    status, out, err = run("cancel", made.job_id)
    assert (status, out) == (1, "")
    assert err == f"sqr-jobs: Job {made.job_id} has ended: it is COMPLETE. There is nothing to cancel.\n"


def test_a_job_that_failed_is_retried_as_a_new_one(service: ReportJobs, run: Run) -> None:
    """Beside the rate limit, which the client may have used up; the old one stays as it was."""
    made = _made(service, "U-RAISE")
    for number in range(9):
        _made(service, f"U-{number}", work=False)
    status, out, _ = run("retry", made.job_id)
    assert status == 0
    again = _read(service, out.strip())
    assert (again.user_id, again.org_id, again.state) == ("U-RAISE", "acme", "QUEUED")
    assert again.document_lifetime_ms == made.document_lifetime_ms
    assert _read(service, made.job_id).state == "FAILED"
    assert run("retry", made.job_id)[2].startswith("sqr-jobs: A report for this user is already being made.")


def test_a_job_that_did_not_fail_is_not_retried(service: ReportJobs, run: Run) -> None:
    """A complete one has its document, and an active one may still have."""
    for made in (_made(service), _made(service, "U-2", work=False)):
        status, _, err = run("retry", made.job_id)
        assert status == 1
        assert "Only a job that failed can be retried." in err


def test_a_person_without_rights_by_now_is_not_retried(
    service: ReportJobs, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host is asked again: an operator goes round the rate limit and round nothing else."""
    made = _made(service, "U-RAISE")
    monkeypatch.setattr(host.people, "not_permitted", {"U-RAISE"})
    assert run("retry", made.job_id)[0] == 1


def test_an_erasure_prints_its_receipt_and_names_nobody_in_it(
    service: ReportJobs, run: Run, tmp_path: Path
) -> None:
    """The proof is kept for years: counts, job ids and the moment."""
    complete, failed = _made(service), _made(service, "U-RAISE")
    waiting = service.create(Caller(org_id="acme"), user_id="U-1")
    documents = tmp_path / "documents"
    assert (documents / complete.job_id).exists()
    status, out, err = run("erase", "--org", "acme", "--user", "U-1", "--yes")
    receipt: dict[str, Any] = json.loads(out)
    assert (status, err) == (0, "")
    assert sorted(receipt.pop("job_ids")) == sorted([complete.job_id, waiting.job_id])
    assert receipt.pop("erasedAt").endswith("+00:00")
    counted = {"jobs": 2, "cancelled": 1, "causes": 0, "idempotency_keys": 0, "objects": 1}
    assert receipt == {"complete": True, **counted}
    assert "U-1" not in out
    assert not (documents / complete.job_id).exists()
    assert _read(service, failed.job_id).user_id == "U-RAISE"
    shown = run("jobs", complete.job_id)[1]
    assert f"{'user':<16}(erased)" in shown.splitlines()
    assert "was erased" in run("retry", waiting.job_id)[2]
    again = json.loads(run("erase", "--org", "acme", "--user", "U-1", "--yes")[1])
    assert (again["jobs"], again["job_ids"]) == (0, [])


def test_an_erasure_that_fails_prints_its_receipt_all_the_same(
    service: ReportJobs, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is gone is gone, and must be on record; a script sees by the status that it is not all."""
    _made(service)
    service.create(Caller(org_id="acme"), user_id="U-1")
    with monkeypatch.context() as outage:
        outage.setattr(LocalDocumentStore, "delete", _refuse)
        status, out, err = run("erase", "--org", "acme", "--user", "U-1", "--yes")
    receipt: dict[str, Any] = json.loads(out)
    assert (status, receipt["complete"], receipt["cancelled"], receipt["jobs"]) == (1, False, 1, 0)
    assert err.startswith(
        "sqr-jobs: The store is away. The erasure is not complete. Run the same command again"
    )
    again = json.loads(run("erase", "--org", "acme", "--user", "U-1", "--yes")[1])
    assert (again["complete"], again["jobs"], again["cancelled"]) == (True, 2, 0)


@pytest.mark.parametrize("typed", ["", "yes\n", "u-1\n", "U-12\n"])
def test_an_erasure_that_nobody_confirms_erases_nothing(
    service: ReportJobs, run: Run, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    """The id is typed once more; Ctrl-D is a no. The question is not on stdout, where the receipt goes."""
    made = _made(service)
    monkeypatch.setattr("sys.stdin", _Terminal(typed))
    status, out, err = run("erase", "--org", "acme", "--user", "U-1")
    assert (status, out) == (1, "")
    assert err.startswith("Erase user U-1 of acme for good?")
    assert err.endswith("Nothing was erased.\n")
    assert _read(service, made.job_id).user_id == "U-1"


def test_an_erasure_that_is_confirmed_leaves_only_the_receipt_on_stdout(
    service: ReportJobs, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sqr-jobs erase … > receipt.json` at a terminal is the usual way."""
    _made(service)
    monkeypatch.setattr("sys.stdin", _Terminal("U-1\n"))
    status, out, _ = run("erase", "--org", "acme", "--user", "U-1")
    assert (status, json.loads(out)["jobs"]) == (0, 1)


def test_where_nobody_can_be_asked_an_erasure_needs_its_option(
    service: ReportJobs, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script that forgot it must not erase, nor wait for ever."""
    made = _made(service)
    monkeypatch.setattr("sys.stdin", io.StringIO("U-1\n"))
    status, out, err = run("erase", "--org", "acme", "--user", "U-1")
    assert (status, out) == (1, "")
    assert "Pass --yes" in err
    assert _read(service, made.job_id).user_id == "U-1"


@pytest.mark.parametrize(("org", "user"), [("", "U-1"), ("acme", "")])
def test_an_erasure_of_nobody_is_refused(service: ReportJobs, run: Run, org: str, user: str) -> None:
    """An empty variable in a script; the rows of those who were erased before have an empty id."""
    _made(service)
    run("erase", "--org", "acme", "--user", "U-1", "--yes")
    status, out, err = run("erase", "--org", org, "--user", user, "--yes")
    assert (status, out) == (1, "")
    assert "Name the organisation and the user." in err


def test_a_service_that_is_named_nowhere_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As every command that needs one."""
    monkeypatch.delitem(os.environ, "SQR_JOBS_FACTORY")
    for arguments in (("jobs",), ("cancel", _UNKNOWN), ("erase", "--org", "a", "--user", "b", "--yes")):
        assert "SQR_JOBS_FACTORY" in run(*arguments)[2]
