"""What a host passes to build_report_jobs, held against the settings."""

import pytest
from sqlalchemy import create_engine

from sqr_jobs import ConfigurationError, Settings, build_report_jobs
from tests.host.people import People
from tests.host.reports import Report


def test_a_broker_without_a_shared_database_is_refused() -> None:
    """Workers on other machines would look into an empty file of their own."""
    with pytest.raises(ConfigurationError, match=r"SQR_JOBS_DATABASE_URL=.*engine="):
        build_report_jobs(Settings(broker_url="redis://host"), users=People(), templates=[Report()])


def test_the_hosts_engine_is_a_shared_database() -> None:
    """A host that has an engine names its database once."""
    engine = create_engine("postgresql+psycopg://me@host/name")
    assert build_report_jobs(
        Settings(broker_url="redis://host"), users=People(), templates=[Report()], engine=engine
    )
    engine.dispose()
