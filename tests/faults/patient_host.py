"""Web processes that wait for their Redis, however busy the machine: no limiter counts for itself."""

from typing import TYPE_CHECKING

import pytest

from tests.host.mounted import in_fastapi, in_flask
from tests.host.patience import be_patient
from tests.host.reports import report_jobs

if TYPE_CHECKING:
    from fastapi import FastAPI
    from flask import Flask

__all__ = ["fastapi", "flask"]


def fastapi() -> "FastAPI":
    """Mount the sample host's reports in FastAPI."""
    be_patient(pytest.MonkeyPatch())
    return in_fastapi(report_jobs)


def flask() -> "Flask":
    """Mount them in Flask."""
    be_patient(pytest.MonkeyPatch())
    return in_flask(report_jobs)
