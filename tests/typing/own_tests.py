"""A host's tests of its own mount; checked by mypy, not run."""

from collections.abc import Callable, Mapping

import pytest
from fastapi import FastAPI

from sqr_jobs import JobState, ReportJobs, build_report_jobs
from sqr_jobs.testing import Answer, Client, HttpContract, ReportsUnderTest, client_of
from tests.typing.own_parts import Letter, people


@pytest.fixture
def report_jobs_factory() -> Callable[[], ReportJobs]:
    return lambda: build_report_jobs(users=people, templates=[Letter()])


class TestMount(HttpContract):
    known_user, forbidden_user, unknown_user = "U1", None, "U404"
    scope = "reports:create reports:read"

    @pytest.fixture
    def client(self, reports: ReportsUnderTest) -> Client:
        return client_of(FastAPI())

    def headers(self, org: str) -> Mapping[str, str]:
        return {"X-Key": org}


def own_client(method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
    return Answer(status=200, headers={"content-type": "text/plain"}, body=body or path.encode())


def test_a_report_is_made(reports: ReportsUnderTest) -> None:
    client: Client = own_client
    answer = client("GET", "/", reports.bearer("acme", scope="reports:read"), None)
    assert answer.status == 200
    assert answer.json is not None
    job = reports.create("U1", org="acme")
    reports.pass_time(5.0)
    assert reports.run_pending() == 1
    assert reports.status(job).state is JobState.COMPLETE
