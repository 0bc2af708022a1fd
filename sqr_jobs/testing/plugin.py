"""The pytest plugin: `pytest_plugins = ["sqr_jobs.testing.plugin"]`."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sqr_jobs import migrations
from sqr_jobs.report_jobs import ReportJobs
from sqr_jobs.testing.reports import TEST_KEY, ReportsUnderTest
from sqr_jobs.wiring import system_of

__all__ = ["report_jobs_factory", "reports", "sqr_jobs_settings"]


@pytest.fixture
def report_jobs_factory() -> Callable[[], ReportJobs]:
    """Give the host's factory; a host overrides this fixture."""
    raise pytest.UsageError(
        "Override the fixture report_jobs_factory: return the function that returns build_report_jobs(…)."
    )


@pytest.fixture
def sqr_jobs_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """Set the variables of a service under test: SQLite in a temporary folder, no worker, no child.

    A host that needs others overrides this fixture.
    """
    variables = {
        "SQR_JOBS_DATA_DIR": str(tmp_path / "sqr-jobs"),
        "SQR_JOBS_EMBEDDED_WORKER": "false",
        "SQR_JOBS_RENDER": "inline",
        "SQR_JOBS_JWT_KEY": TEST_KEY,
        "SQR_JOBS_JWT_ALGORITHMS": "HS256",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for name in ("SQR_JOBS_BROKER_URL", "SQR_JOBS_S3_BUCKET", "SQR_JOBS_JWT_JWKS_URL"):
        monkeypatch.delenv(name, raising=False)
    return variables


@pytest.fixture
def reports(
    sqr_jobs_settings: dict[str, str],  # noqa: ARG001 - the factory reads them
    report_jobs_factory: Callable[[], ReportJobs],
) -> Iterator[ReportsUnderTest]:
    """Give the host's service with its tables made, and nothing running."""
    system = system_of(report_jobs_factory())
    if not migrations.status(system.database.engine).is_kept_elsewhere:  # by the host's own Alembic
        migrations.upgrade(system.database.engine)
    yield ReportsUnderTest(system)
    system.database.close()
