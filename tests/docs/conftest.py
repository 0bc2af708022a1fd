"""Makes the examples importable, and gives them their people."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sqr_jobs import ReportJobs
from tests.docs.pages import DOCS


@pytest.fixture
def example_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test import the how-to examples, and the tutorial's `myapp` that they build on."""
    for folder in ("howto", "tutorial/fastapi_app"):
        monkeypatch.syspath_prepend(str(DOCS / folder))


@pytest.fixture
def report_jobs_factory(
    example_path: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[], ReportJobs]:
    """Give the tutorial's factory over one person that has consented and one that has not."""
    monkeypatch.setenv("MYAPP_DATABASE_URL", f"sqlite:///{tmp_path}/app.db")
    from myapp.people import Person, add_people, make_engine
    from myapp.reports import report_jobs

    for user_id, orgs in {"US1": ["test-org", "org-a"], "US2": []}.items():
        person = Person(id=user_id, given_name="Jo", family_name="Bloggs", checks=[], orgs=orgs)
        add_people(make_engine(), person)
    return report_jobs


@pytest.fixture
def shell_environment(tmp_path: Path) -> dict[str, str]:
    """Give the environment of a reader's terminal: this interpreter's programs, and no settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SQR_JOBS_", "MYAPP_"))}
    programs = str(Path(sys.executable).parent)
    return {**kept, "PATH": f"{programs}{os.pathsep}{kept['PATH']}", "HOME": str(tmp_path), "COLUMNS": "80"}
