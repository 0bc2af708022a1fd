"""The fixture `reports` of a host whose own Alembic keeps our tables."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from sqr_jobs import JobState, ReportJobs, build_report_jobs, migrations
from sqr_jobs.testing import ReportsUnderTest
from tests.host.reports import Report, people

pytest_plugins = ["sqr_jobs.testing.plugin"]


@pytest.fixture
def report_jobs_factory(tmp_path: Path) -> Callable[[], ReportJobs]:
    """Give a factory over tables that `alembic upgrade heads` made, as a host's own fixture would."""
    engine = create_engine(f"sqlite:///{tmp_path}/app.db")
    migrations.upgrade(engine)
    migrations.stamp(engine, "base")
    return lambda: build_report_jobs(users=people, templates=[Report()], engine=engine)


def test_tables_that_the_hosts_own_alembic_made_are_used_as_they_are(reports: ReportsUnderTest) -> None:
    """`sqr-jobs db` would refuse to touch them, and a test is not the place to hear of it."""
    assert reports.create("U1").state is JobState.QUEUED
