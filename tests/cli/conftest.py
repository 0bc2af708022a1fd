"""Fixtures for the command line."""

import os
from pathlib import Path

import pytest

from sqr_jobs.cli import main
from tests.cli.checks import Check, Checked
from tests.cli.commands import environment
from tests.host.reports import FACTORY


@pytest.fixture
def check(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Check:
    """Check the sample host under these settings; by default it renders in no child, which is quicker."""

    def run(*arguments: str, **settings: object) -> Checked:
        given = {"factory": FACTORY, "data_dir": tmp_path / "data", "render": "inline"} | settings
        kept = {name: value for name, value in given.items() if value is not None}
        monkeypatch.setattr(os, "environ", environment(tmp_path, **kept))
        status = main(["check", *arguments])
        out, err = capfd.readouterr()
        assert err == ""
        return Checked(status, out)

    return run
