"""`sqr-jobs demo --once`: the whole way in one command."""

import hashlib
import json
import subprocess
from pathlib import Path

import pikepdf
import pytest

from sqr_jobs.demo.people import PEOPLE
from tests.cli.commands import run
from tests.http.contract import DOCUMENT, faults

_SCHEMAS = DOCUMENT["components"]["schemas"]


def _once(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run("demo", "--once", "--dir", str(folder / "state"), *arguments, home=folder, cwd=folder)


def _again_for_a_person(folder: Path, before: Path) -> None:
    """Run it in the same folder without --json: nothing stands in the way, and a pipe gets one line."""
    answer = _once(folder)
    assert (answer.returncode, answer.stderr) == (0, "")
    (line,) = answer.stdout.splitlines()
    assert "eyJ" not in line
    (saved,) = set(before.parent.iterdir()) - {before}
    assert str(saved) in line


@pytest.mark.parametrize("framework", ["fastapi", "flask"])
def test_one_line_of_json_tells_the_whole_way(framework: str, tmp_path: Path) -> None:
    """A script reads the last answers, finds the PDF, and can check it."""
    answer = _once(tmp_path, "--json", "--framework", framework)
    assert answer.returncode == 0, answer.stderr
    (line,) = answer.stdout.splitlines()
    result = json.loads(line)
    assert set(result) == {"job", "download", "pdf", "seconds"}
    assert faults(result["job"], _SCHEMAS["ReportJob"], "job") == []
    assert faults(result["download"], _SCHEMAS["DownloadUrl"], "download") == []
    assert result["job"]["status"] == "COMPLETE"
    assert result["job"]["userId"] == PEOPLE[0].user_id
    assert 0 < result["seconds"] < 60
    pdf = Path(result["pdf"])
    assert pdf.is_absolute()
    assert pdf.name == result["download"]["filename"]
    assert tmp_path in pdf.parents
    assert hashlib.sha256(pdf.read_bytes()).hexdigest() == result["job"]["sha256"]
    assert pdf.stat().st_size == result["job"]["sizeBytes"]
    with pikepdf.open(pdf) as opened:
        assert len(opened.pages) >= 1
    assert "Traceback" not in answer.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    if framework == "fastapi":
        _again_for_a_person(tmp_path, pdf)


def test_a_report_that_fails_is_told_in_a_sentence(tmp_path: Path) -> None:
    """No stack for what is no fault of the program."""
    arguments = ("demo", "--once", "--json", "--dir", str(tmp_path / "state"))
    answer = run(*arguments, home=tmp_path, cwd=tmp_path, attempt_limit_s=0.001, retry_backoff_s=0.01)
    assert (answer.returncode, answer.stdout) == (1, "")
    last = answer.stderr.splitlines()[-1]
    assert last.startswith("sqr-jobs")
    assert "FAILED" in last
    assert "Traceback" not in answer.stderr


def test_without_a_folder_the_state_lies_where_state_belongs(tmp_path: Path) -> None:
    """The XDG base directories: nothing is written beside the user's files."""
    work = tmp_path / "work"
    work.mkdir()
    answer = run("demo", "token", "--org", "acme", home=tmp_path, cwd=work)
    assert answer.returncode == 0
    assert (tmp_path / ".local" / "state" / "sqr-jobs-demo" / "token-key").is_file()
    other = run("demo", "token", "--org", "acme", home=tmp_path, cwd=work, XDG_STATE_HOME=tmp_path / "xdg")
    assert other.returncode == 0
    assert (tmp_path / "xdg" / "sqr-jobs-demo" / "token-key").is_file()
    assert list(work.iterdir()) == []
