"""A host's service under test: no worker, no child, and a clock that can be moved."""

import time
from collections.abc import Sequence

import jwt

from sqr_jobs.domain.caller import Caller
from sqr_jobs.domain.job import Job, JobEvent
from sqr_jobs.report_jobs import ReportJobs
from sqr_jobs.wiring import System

__all__ = ["TEST_KEY", "ReportsUnderTest"]

TEST_KEY = "sqr-jobs-testing: a key that signs nothing real"


class ReportsUnderTest:
    """What the `reports` fixture gives.

    Jobs wait until `run_pending` makes them in the test's own thread, so a template's exception can be
    debugged where it is raised. Whatever `ReportJobs` the application mounted, they share the database.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._processor = system.service().processor

    @property
    def jobs(self) -> ReportJobs:
        """The service: `reports.jobs.create(…)`."""
        return self._system.reports

    def create(self, user_id: str, *, org: str = "test-org") -> Job:
        """Create a job as a client of an org would."""
        return self.jobs.create(self.caller(org), user_id=user_id)

    def run_pending(self) -> int:
        """Make every due job, one after the other; how many attempts were made."""
        attempts = 0
        while self._processor.process():
            attempts += 1
        return attempts

    def status(self, job: Job) -> Job:
        """Read a job as its org's client would."""
        return self.jobs.status(self.caller(job.org_id), job.job_id)

    def history(self, job: Job) -> Sequence[JobEvent]:
        """Read every transition of a job, with the causes of its failures."""
        return self._system.history.history(job.job_id)

    def pass_time(self, seconds: float) -> None:
        """Move this service's clock; retries come due for `run_pending`, deadlines for `status`.

        An application that called the factory itself has a clock of its own, which stays.
        """
        self._system.database.clock_offset_ms += round(seconds * 1000)

    @staticmethod
    def caller(org: str = "test-org", *, scopes: Sequence[str] = ()) -> Caller:
        """Make a caller of an org."""
        return Caller(org_id=org, scopes=frozenset(scopes))

    @staticmethod
    def bearer(org: str = "test-org", *, scope: str = "", expires_s: int = 600) -> dict[str, str]:
        """Make the Authorization header of an org's client; the fixture lets the service accept it."""
        claims = {"org": org, "scope": scope, "exp": int(time.time()) + expires_s}
        return {"Authorization": f"Bearer {jwt.encode(claims, TEST_KEY, algorithm='HS256')}"}
