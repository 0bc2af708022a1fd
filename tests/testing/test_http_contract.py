"""The contract class that hosts subclass, over both sample hosts."""

from collections.abc import Callable
from typing import Any

import pytest

from sqr_jobs import ReportJobs
from sqr_jobs.testing import Client, HttpContract, ReportsUnderTest, client_of
from tests.host.reports import report_jobs

pytest_plugins = ["sqr_jobs.testing.plugin"]


@pytest.fixture
def report_jobs_factory() -> Callable[[], ReportJobs]:
    return report_jobs


class _SampleHost(HttpContract):
    known_user, forbidden_user, unknown_user = "U1", "U-STRANGER", "nobody"

    def app(self) -> Any:
        raise NotImplementedError

    @pytest.fixture
    def client(self, reports: ReportsUnderTest) -> Client:
        return client_of(self.app())


class TestFastapi(_SampleHost):
    def app(self) -> Any:
        from fastapi import FastAPI

        from sqr_jobs_fastapi import create_router

        app = FastAPI()
        app.include_router(create_router(report_jobs))
        return app


class TestFlask(_SampleHost):
    def app(self) -> Any:
        from flask import Flask

        from sqr_jobs_flask import create_blueprint

        app = Flask("host")
        app.register_blueprint(create_blueprint(report_jobs))
        return app


def test_a_failing_templates_cause_is_in_the_history(reports: ReportsUnderTest) -> None:
    """A host's developer sees why, which the API never tells."""
    job = reports.create("U-RAISE")
    assert reports.run_pending() == 1
    assert reports.status(job).error_code == "RENDER_FAILED"
    assert "could not lay out" in str(reports.history(job)[-1].cause)


def test_time_can_be_moved_past_a_retry_and_a_deadline(reports: ReportsUnderTest) -> None:
    """A host's test never sleeps."""
    job = reports.create("U-NODATA")
    assert (reports.run_pending(), reports.run_pending()) == (1, 0)
    reports.pass_time(5)
    assert reports.run_pending() == 1
    reports.pass_time(400)
    assert reports.status(job).error_code == "DEADLINE_EXCEEDED"
