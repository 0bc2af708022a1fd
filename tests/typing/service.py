"""What a host's own code asks the service and is told; checked by mypy, not run."""

from alembic import context
from sqlalchemy import Engine, MetaData

from sqr_jobs import (
    ApiStatus,
    Caller,
    ConfigurationError,
    Download,
    Job,
    JobErrorCode,
    JobState,
    ReportJobs,
    RequestRefused,
    SqrJobsError,
    TemplateRef,
    User,
    UserDirectory,
    migrations,
)
from sqr_jobs.migrations import VERSION_TABLE, Standing, include_name, metadata


class People:
    def find(self, user_id: str) -> User | None:
        return None

    def may_report(self, caller: Caller, user: User) -> bool:
        return False


people: UserDirectory = People()


def address(reports: ReportJobs, caller: Caller, job_id: str) -> tuple[str, int, str] | None:
    job: Job = reports.status(caller, job_id)
    status: ApiStatus = job.status
    if status is not ApiStatus.COMPLETE:
        return None
    download: Download = reports.download_url(caller, job_id, origin="https://api.example.com")
    return download.url, download.expires_in_s, download.filename


def why(job: Job) -> str:
    code: JobErrorCode | None = job.error_code
    template: TemplateRef = job.template
    if job.state in (JobState.COMPLETE, JobState.FAILED) and code is not None:
        return f"{template.name} {template.version}: {code.value} after {job.attempt} attempts"
    return "nothing is wrong"


def refused(error: SqrJobsError) -> str:
    match error:
        case RequestRefused():
            return error.code
        case ConfigurationError():
            return str(error)
    return "unavailable"


def deploy(engine: Engine) -> str | None:
    before: str | None = migrations.current(engine)
    if before != migrations.head():
        migrations.upgrade(engine)
    standing: Standing = migrations.status(engine)
    migrations.stamp(engine)
    migrations.downgrade(engine, "base")
    return before or standing.revision


def beside_the_hosts_tables(own: MetaData) -> None:
    context.configure(target_metadata=[own, metadata], include_name=include_name, version_table=VERSION_TABLE)
