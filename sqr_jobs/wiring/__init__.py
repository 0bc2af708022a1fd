"""The composition root: the one place where settings become adapters, and adapters a service."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from sqr_jobs.documents.template import Catalog, Template
from sqr_jobs.domain.caller import Caller, User
from sqr_jobs.domain.rate_limit import RateLimit
from sqr_jobs.errors import ConfigurationError
from sqr_jobs.factory import path_of
from sqr_jobs.ports import AsyncUserDirectory, Authenticator, DocumentStore, UserDirectory
from sqr_jobs.ports.conformity import check_conformity, check_function
from sqr_jobs.report_jobs import ReportJobs
from sqr_jobs.settings import Settings
from sqr_jobs.wiring import parts
from sqr_jobs.wiring.system import System, system_of

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from sqr_jobs.web.endpoints import Endpoints

__all__ = ["System", "build_report_jobs", "mount", "system_of"]


def build_report_jobs(
    settings: Settings | None = None,
    *,
    users: UserDirectory | AsyncUserDirectory,
    templates: Iterable[Template[Any]],
    engine: "Engine | None" = None,
    authenticator: Authenticator | None = None,
    documents: DocumentStore | None = None,
    choose_template: Callable[[Caller, User], type[Template[Any]] | Template[Any]] | None = None,
    choose_rate_limit: Callable[[Caller], RateLimit | None] | None = None,
) -> ReportJobs:
    """Build the service from settings and the host's own parts; nothing starts and nothing connects.

    `settings` are by default those of the environment. `templates` are instances: every version that may
    still be asked for. `engine` is the host's SQLAlchemy engine, whose database then holds the jobs; without
    it the database is `SQR_JOBS_DATABASE_URL`, else a SQLite file. Setting both is refused, and so is
    `SQR_JOBS_S3_BUCKET` beside `documents`. `authenticator` replaces the judging of JWTs, whose settings are
    then unused, and `documents` the bucket or folder. `choose_template` picks a new job's template, by
    default the last of `templates`. `choose_rate_limit` picks an org's quota, by default (and for None) that
    of the settings.
    Raises `ConfigurationError`.
    """
    check_conformity(users, UserDirectory, passed_as="users=", may_be_async=True)
    if authenticator is not None:
        check_conformity(authenticator, Authenticator, passed_as="authenticator=")
    if documents is not None:
        check_conformity(documents, DocumentStore, passed_as="documents=")
    if choose_template is not None:
        check_function(choose_template, "caller", "user", passed_as="choose_template=")
    if choose_rate_limit is not None:
        check_function(choose_rate_limit, "caller", passed_as="choose_rate_limit=")
    system = System(
        settings or Settings(),
        users=users,
        templates=Catalog(templates, choose_template),
        engine=engine,
        authenticator=authenticator,
        documents=documents,
        choose_rate_limit=choose_rate_limit,
    )
    if engine is not None:
        _ = system.database  # refuses an engine that can't serve, where the host passes it
    return system.reports


def mount(report_jobs: Callable[[], ReportJobs] | ReportJobs, *, has_own_login: bool) -> "Endpoints":
    """Build a host's `ReportJobs` and return the endpoints to mount.

    The factory's import path is what the render child needs; a `ReportJobs` itself can be mounted where
    `SQR_JOBS_FACTORY` names it. `has_own_login` says that each `HttpRequest` will bring its caller. Raises
    `ConfigurationError`.
    """
    reports = report_jobs if isinstance(report_jobs, ReportJobs) else report_jobs()
    system = system_of(reports)
    if system.needs_factory:
        if not isinstance(report_jobs, ReportJobs):
            system.factory = system.factory or path_of(report_jobs)
        _ = system.factory_path(), system.producer()  # what is missing shows now
    _ = system.intake, system.limiter, system.documents  # a wrong setting shows now, not at the first request
    if url := parts.broker_url(system.settings):
        parts.ringing_broker_for(
            url, system.identity.of_service
        )  # the one that rings is made in its own process
    if system.endpoints.needs_caller and not has_own_login:
        raise ConfigurationError(
            "No token can be judged. Set SQR_JOBS_JWT_KEY or SQR_JOBS_JWT_JWKS_URL, pass authenticator=… to "
            "build_report_jobs, or mount with your own login: caller=…"
        )
    return system.endpoints
