"""`sqr-jobs erase`: it asks once more, and prints what is gone."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from sqr_jobs import Caller, ReportJobs
from sqr_jobs.adapters.local_documents import LocalDocumentStore
from sqr_jobs.errors import DocumentsUnavailable
from tests.cli.operators import Run, made, read


class _Terminal(io.StringIO):
    """A keyboard with somebody at it."""

    def isatty(self) -> bool:
        return True


def _refuse(_store: object, _key: str) -> None:
    raise DocumentsUnavailable("The store is away.")


def test_an_erasure_prints_its_receipt_and_names_nobody_in_it(
    service: ReportJobs, run: Run, tmp_path: Path
) -> None:
    """The proof is kept for years: counts, job ids and the moment."""
    complete, failed = made(service), made(service, "U-RAISE")
    waiting = service.create(Caller(org_id="acme"), user_id="U-1")
    documents = tmp_path / "documents"
    assert (documents / complete.job_id).exists()
    status, out, err = run("erase", "--org", "acme", "--user", "U-1", "--yes")
    receipt: dict[str, Any] = json.loads(out)
    assert (status, err) == (0, "")
    assert sorted(receipt.pop("jobIds")) == sorted([complete.job_id, waiting.job_id])
    assert receipt.pop("erasedAt").endswith("Z")
    counted = {"jobs": 2, "cancelled": 1, "causes": 0, "idempotencyKeys": 0, "objects": 1}
    assert receipt == {"complete": True, "service": "/v1/document/api", **counted}
    assert "U-1" not in out
    assert not (documents / complete.job_id).exists()
    assert read(service, failed.job_id).user_id == "U-RAISE"
    shown = run("jobs", complete.job_id)[1]
    assert f"{'user':<16}(erased)" in shown.splitlines()
    assert f"{'state':<16}COMPLETE" in shown.splitlines()
    assert "expires" not in shown
    assert "was erased" in run("retry", waiting.job_id)[2]
    again = json.loads(run("erase", "--org", "acme", "--user", "U-1", "--yes")[1])
    assert (again["jobs"], again["jobIds"]) == (0, [])


def test_an_erasure_that_fails_prints_its_receipt_all_the_same(
    service: ReportJobs, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is gone is gone, and must be on record; a script sees by the status that it is not all."""
    made(service)
    service.create(Caller(org_id="acme"), user_id="U-1")
    with monkeypatch.context() as outage:
        outage.setattr(LocalDocumentStore, "delete", _refuse)
        status, out, err = run("erase", "--org", "acme", "--user", "U-1", "--yes")
    receipt: dict[str, Any] = json.loads(out)
    assert (status, receipt["complete"], receipt["cancelled"], receipt["jobs"]) == (1, False, 1, 0)
    assert err.startswith(
        "sqr-jobs: The store is away. The erasure is not complete. `sqr-jobs check` says which part and what "
        "to do. Then run the same command again"
    )
    again = json.loads(run("erase", "--org", "acme", "--user", "U-1", "--yes")[1])
    assert (again["complete"], again["jobs"], again["cancelled"]) == (True, 2, 0)


@pytest.mark.parametrize("typed", ["", "yes\n", "u-1\n", "U-12\n"])
def test_an_erasure_that_nobody_confirms_erases_nothing(
    service: ReportJobs, run: Run, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    """The id is typed once more; Ctrl-D is a no. The question is not on stdout, where the receipt goes."""
    mine = made(service)
    monkeypatch.setattr("sys.stdin", _Terminal(typed))
    status, out, err = run("erase", "--org", "acme", "--user", "U-1")
    assert (status, out) == (1, "")
    assert err.startswith("Erase user U-1 of acme for good?")
    assert err.endswith("Nothing was erased.\n")
    assert read(service, mine.job_id).user_id == "U-1"


def test_an_erasure_that_is_confirmed_leaves_only_the_receipt_on_stdout(
    service: ReportJobs, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sqr-jobs erase … > receipt.json` at a terminal is the usual way."""
    made(service)
    monkeypatch.setattr("sys.stdin", _Terminal("U-1\n"))
    status, out, _ = run("erase", "--org", "acme", "--user", "U-1")
    assert (status, json.loads(out)["jobs"]) == (0, 1)


def test_where_nobody_can_be_asked_an_erasure_needs_its_option(
    service: ReportJobs, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script that forgot it must not erase, nor wait for ever."""
    mine = made(service)
    monkeypatch.setattr("sys.stdin", io.StringIO("U-1\n"))
    status, out, err = run("erase", "--org", "acme", "--user", "U-1")
    assert (status, out) == (1, "")
    assert "Pass --yes" in err
    assert read(service, mine.job_id).user_id == "U-1"


@pytest.mark.parametrize(("org", "user"), [("", "U-1"), ("acme", "")])
def test_an_erasure_of_nobody_is_refused(service: ReportJobs, run: Run, org: str, user: str) -> None:
    """An empty variable in a script; the rows of those who were erased before have an empty id."""
    made(service)
    run("erase", "--org", "acme", "--user", "U-1", "--yes")
    status, out, err = run("erase", "--org", org, "--user", user, "--yes")
    assert (status, out) == (1, "")
    assert "Name the organisation and the user." in err
