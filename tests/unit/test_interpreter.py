"""Which Python runs the render children."""

import os
import sys
from pathlib import Path

import pytest

from sqr_jobs import Settings, build_report_jobs
from sqr_jobs.adapters.interpreter import find_interpreter
from sqr_jobs.errors import ConfigurationError
from sqr_jobs.wiring import mount
from tests.contracts.producers import child_producer, document
from tests.host.people import People
from tests.host.reports import FACTORY, Report


def _program(path: Path, text: str = "exit 0") -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("name", ["uwsgi", None])
def test_a_program_that_is_no_python_starts_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    """Under uWSGI `sys.executable` is uwsgi, and where Python is embedded it may be empty."""
    monkeypatch.setattr(sys, "executable", _program(tmp_path / name) if name else "")
    producer = child_producer()
    assert document(producer).startswith(b"%PDF")
    producer.close()


def test_where_no_python_is_found_nothing_is_mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each job would be accepted, and tried in vain until its deadline."""
    monkeypatch.setattr(sys, "executable", _program(tmp_path / "uwsgi"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    settings = Settings(factory=FACTORY, data_dir=tmp_path)
    reports = build_report_jobs(settings, users=People(), templates=[Report()])
    with pytest.raises(ConfigurationError, match="SQR_JOBS_PYTHON"):
        mount(reports, has_own_login=True)


def test_an_interpreter_that_is_named_is_tried(tmp_path: Path) -> None:
    """A setting that is wrong shows when the service is mounted."""
    assert find_interpreter(sys.executable) == sys.executable
    for wrong in (_program(tmp_path / "python3"), str(tmp_path / "missing"), str(tmp_path), "/dev/null"):
        with pytest.raises(ConfigurationError, match="SQR_JOBS_PYTHON"):
            find_interpreter(wrong)
    named = _program(tmp_path / "wrapped", f'exec {sys.executable} "$@"')
    assert os.access(named, os.X_OK)
    assert find_interpreter(named) == named
