"""PDF reports as asynchronous jobs: ask, poll, download.

A host builds one `ReportJobs` with `build_report_jobs` and mounts it with `sqr_jobs_fastapi.create_router` or
`sqr_jobs_flask.create_blueprint`. Importing this package reads nothing, connects to nothing and loads
neither ReportLab, pikepdf, boto3 nor a web framework.
"""

import logging

from sqr_jobs.documents.page import Page
from sqr_jobs.documents.template import ReportRequest, Template
from sqr_jobs.documents.text import Paragraph, style
from sqr_jobs.domain.caller import Caller, User
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.filenames import content_disposition
from sqr_jobs.domain.job import Document, Job, JobEvent, TemplateRef
from sqr_jobs.domain.rate_limit import RateLimit
from sqr_jobs.domain.states import ApiStatus, JobState
from sqr_jobs.errors import (
    ConfigurationError,
    DocumentsUnavailable,
    RequestRefused,
    SqrJobsError,
    Unauthenticated,
    Unavailable,
)
from sqr_jobs.ports import (
    AsyncUserDirectory,
    Authenticator,
    DocumentStore,
    LocalDocuments,
    ProducedDocument,
    UserDirectory,
    VerifyingDocuments,
)
from sqr_jobs.report_jobs import Download, ReportJobs
from sqr_jobs.settings import Settings
from sqr_jobs.wiring import build_report_jobs, mount

__all__ = [
    "ApiStatus",
    "AsyncUserDirectory",
    "Authenticator",
    "Caller",
    "ConfigurationError",
    "Document",
    "DocumentStore",
    "DocumentsUnavailable",
    "Download",
    "Job",
    "JobErrorCode",
    "JobEvent",
    "JobState",
    "LocalDocuments",
    "Page",
    "Paragraph",
    "ProducedDocument",
    "RateLimit",
    "ReportJobs",
    "ReportRequest",
    "RequestRefused",
    "Settings",
    "SqrJobsError",
    "Template",
    "TemplateRef",
    "Unauthenticated",
    "Unavailable",
    "User",
    "UserDirectory",
    "VerifyingDocuments",
    "build_report_jobs",
    "content_disposition",
    "mount",
    "style",
]

# What is printed, and where, is for the host to say.
logging.getLogger(__name__).addHandler(logging.NullHandler())
