"""Fixtures for the command line."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sqr_jobs import ReportJobs, migrations
from sqr_jobs.cli import main
from sqr_jobs.wiring import system_of
from tests.cli.checks import Check, Checked
from tests.cli.commands import environment
from tests.cli.operators import Run
from tests.host import reports as host


@pytest.fixture
def check(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Check:
    """Check the sample host under these settings; by default it renders in no child, which is quicker."""

    def run(*arguments: str, **settings: object) -> Checked:
        given = {"factory": host.FACTORY, "data_dir": tmp_path / "data", "render": "inline"} | settings
        kept = {name: value for name, value in given.items() if value is not None}
        monkeypatch.setattr(os, "environ", environment(tmp_path, **kept))
        status = main(["check", *arguments])
        out, err = capfd.readouterr()
        assert err == ""
        return Checked(status, out)

    return run


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
def service_settings() -> dict[str, Any]:
    """Give what a file's tests want set beside the rest."""
    return {"max_failures": 1}


@pytest.fixture
def service(
    _tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service_settings: dict[str, Any]
) -> Iterator[ReportJobs]:
    """Give a service on an empty database, which the commands find by their environment."""
    (tmp_path / "jobs.db").write_bytes(_tables.read_bytes())
    settings = {"factory": host.FACTORY, "data_dir": tmp_path, "render": "inline", **service_settings}
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
