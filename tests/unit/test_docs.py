"""The reference pages name what the code has."""

from pathlib import Path

from sqr_jobs import errors
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.settings import Settings

_REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_every_setting_has_a_line_with_a_meaning() -> None:
    """Someone who is woken at night looks a setting up there."""
    lines = (_REFERENCE / "settings.md").read_text(encoding="utf-8").splitlines()
    told = {cells[1].strip(" `"): cells[3].strip() for line in lines if len(cells := line.split("|")) == 5}
    for name in Settings.model_fields:
        assert told.get(f"SQR_JOBS_{name.upper()}"), name


def test_every_code_has_a_line() -> None:
    """A client looks up what a code means and whether a retry helps."""
    page = (_REFERENCE / "errors.md").read_text(encoding="utf-8")
    codes = {code.value for code in JobErrorCode} | {"INTERNAL_ERROR"}
    for name in errors.__all__:
        codes |= {code} if (code := getattr(getattr(errors, name), "code", None)) else set()
    assert {code for code in codes if isinstance(code, str) and f"| `{code}` |" not in page} == set()


def test_every_code_s_line_says_whether_trying_again_helps() -> None:
    """A client decides by it whether to wait, to change the request or to give up."""
    lines = (_REFERENCE / "errors.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    told = {row[-3].strip("`"): row[-1] for row in rows if len(row) in (3, 4)}
    codes = {code.value for code in JobErrorCode} | {"INTERNAL_ERROR", "RATE_LIMITED", "JOB_NOT_FOUND"}
    assert {code for code in codes if not told.get(code)} == set()
