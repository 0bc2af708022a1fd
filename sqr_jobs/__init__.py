"""PDF reports as asynchronous jobs: ask, poll, download.

A host builds one `ReportJobs` with `build_report_jobs` and mounts it with `sqr_jobs_fastapi.create_router` or
`sqr_jobs_flask.create_blueprint`. Importing this package reads nothing, connects to nothing and loads
neither ReportLab, pikepdf, boto3 nor a web framework.
"""

from sqr_jobs.documents.template import ReportRequest, Template
from sqr_jobs.documents.text import Paragraph
from sqr_jobs.domain.caller import Caller, User
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import Job, TemplateRef
from sqr_jobs.domain.states import ApiStatus, JobState
from sqr_jobs.errors import ConfigurationError, RequestRefused, SqrJobsError, Unavailable
from sqr_jobs.ports import Authenticator, UserDirectory
from sqr_jobs.report_jobs import Download, ReportJobs
from sqr_jobs.settings import Settings
from sqr_jobs.wiring import build_report_jobs

__all__ = [
    "ApiStatus",
    "Authenticator",
    "Caller",
    "ConfigurationError",
    "Download",
    "Job",
    "JobErrorCode",
    "JobState",
    "Paragraph",
    "ReportJobs",
    "ReportRequest",
    "RequestRefused",
    "Settings",
    "SqrJobsError",
    "Template",
    "TemplateRef",
    "Unavailable",
    "User",
    "UserDirectory",
    "build_report_jobs",
]
