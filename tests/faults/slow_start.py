"""The sample host in a factory that a render child never gets out of, until a file lets it go."""

import os
import sys
from pathlib import Path

from sqr_jobs import ReportJobs
from tests.host import reports
from tests.servers.ports import wait_until

__all__ = ["FACTORY", "LET_GO", "report_jobs"]

FACTORY = "tests.faults.slow_start:report_jobs"
LET_GO = "children"


def report_jobs() -> ReportJobs:
    """Build the service from `SQR_JOBS_*`; in a render child, take one's time."""
    if "sqr_jobs.documents.child" in sys.orig_argv:
        folder = Path(os.environ["SQR_TEST_SIGNALS"])
        (folder / f"child-{os.getpid()}").touch()
        wait_until((folder / f"{LET_GO}.go").exists, seconds=600, what="leave to go on")
    return reports.report_jobs()
