"""A host on whose people every answer of the contract can be had, whatever ids a generator makes up."""

from sqr_jobs import Caller, ReportJobs, ReportRequest, Settings, User, build_report_jobs
from tests.host.reports import Report, ReportData

__all__ = ["SPENDTHRIFT", "kind_of", "report_jobs"]

SPENDTHRIFT = 4
"""The kind of person for whom a test spends the org's quota before it asks."""


class _Anyone:
    """Knows all but every eighth person, and permits reports on all but the next eighth."""

    def find(self, user_id: str) -> User | None:
        """Find a person by any id."""
        if kind_of(user_id) == 0:
            return None
        return User(user_id=user_id, given_name="Jo", family_name=f"Bloggs{user_id}")

    def may_report(self, _caller: Caller, user: User) -> bool:
        """Permit most."""
        return kind_of(user.user_id) != 1


class _VariedReport(Report, name="report", version="v1", language="en"):
    def load(self, request: ReportRequest) -> ReportData:
        """Fail for an eighth for good, and for another for now."""
        match kind_of(request.user_id):
            case 2:
                return ReportData.model_validate({"user_id": 3})
            case 3:
                raise ConnectionError
        return ReportData(user_id=request.user_id, name=f"Jo Bloggs{request.user_id}")


def kind_of(user_id: str) -> int:
    """Tell to which of eight kinds a person belongs."""
    return sum(user_id.encode()) % 8


def report_jobs() -> ReportJobs:
    """Build the service from `SQR_JOBS_*`."""
    return build_report_jobs(Settings(), users=_Anyone(), templates=[_VariedReport()])
