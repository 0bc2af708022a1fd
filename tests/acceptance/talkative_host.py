"""The sample host, with every logger of a command at the level that the test wants."""

import logging
import os

from sqr_jobs import ReportJobs
from tests.host import reports

__all__ = ["FACTORY", "report_jobs"]

FACTORY = "tests.acceptance.talkative_host:report_jobs"


def report_jobs() -> ReportJobs:
    """Build its service; `sqr-jobs` sets up no logging for a command that ends by itself."""
    logging.basicConfig(level=os.environ["SQR_TEST_LOG_LEVEL"])
    return reports.report_jobs()
