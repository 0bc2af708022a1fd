"""Looking at what runs beside the application: database, broker, workers, limiter."""

import secrets
from collections.abc import Mapping

from sqr_jobs.doctor.findings import Note
from sqr_jobs.documents.template import Catalog
from sqr_jobs.domain.announcement import Announcement
from sqr_jobs.errors import ConfigurationError, DatabaseUnavailable, QueueUnavailable, Unavailable
from sqr_jobs.wiring import System, inspection

__all__ = ["broker", "database", "limiter", "migrations", "workers"]

_LATE_S = 0.1
"""How long a request waits for a ring or for the limiter."""


def database(system: System) -> str:
    """Connect, and see that a job can be created, changed and deleted; all of it is rolled back."""
    from sqr_jobs import migrations as tables  # noqa: PLC0415 - alembic

    job_database = system.database
    with job_database.read() as connection:
        told = job_database.dialect.told(connection)
        job_database.dialect.check(connection)
    if tables.status(job_database.engine).is_served:  # else the line on the migrations says so
        try:
            inspection.rehearse_job(system)
        except DatabaseUnavailable as error:
            raise ConfigurationError(
                f"no job can be stored in {inspection.database_address(system)}: {error} "
                f"{job_database.dialect.needed_rights}"
            ) from None
    if job_database.is_sqlite and not system.settings.is_embedded:
        return Note(
            f"{told}: one file, so every web and worker process must run on this machine. For several "
            "machines set SQR_JOBS_DATABASE_URL=postgresql+psycopg://…, or pass such an engine"
        )
    return told


def migrations(system: System) -> str:
    """Compare the tables' revision with the one that this version needs."""
    from sqr_jobs import migrations as tables  # noqa: PLC0415 - alembic

    standing = tables.status(system.database.engine)
    if standing.fault is not None:
        raise ConfigurationError(standing.fault)
    return Note(standing.told) if standing.is_newer or standing.is_disputed else standing.told


def broker(system: System) -> str:
    """Count the messages that wait; send one, and fetch it as a worker does."""
    if system.settings.is_embedded:
        return "in memory, inside the web process"
    try:
        system.identity()
    except (Unavailable, ConfigurationError):  # which is the database's fault: its identity names the queue
        inspection.workers(system)
        return "answers"
    told = f"answers; {inspection.messages_waiting(system)} messages wait"
    try:
        inspection.rehearse_message(system)
    except QueueUnavailable as error:
        raise ConfigurationError(
            f"{inspection.broker_address(system)}: {error} What the broker must be, and may refuse nobody: "
            "docs/howto/workers.md#the-broker."
        ) from None
    ring_s = inspection.ring_s(system)
    if ring_s > _LATE_S:
        return Note(
            f"{told}. It answers after {ring_s * 1000:.0f} ms, and a request waits {_LATE_S * 1000:.0f} ms "
            "at most: the relay rings instead, up to a second later. Use a nearer broker"
        )
    return told


def workers(system: System) -> str:
    """Read who announced themselves, and compare their database and templates with this process's."""
    settings = system.settings
    if settings.is_embedded and not settings.embedded_worker:
        return Note("none: SQR_JOBS_EMBEDDED_WORKER is false, so jobs wait until somebody runs them")
    if settings.is_embedded:
        return "embedded: the web process starts one with its first request"
    found = inspection.workers(system)
    if not found:
        raise ConfigurationError("no worker is consuming. Start one: sqr-jobs worker")
    here = system.identity()
    elsewhere = sorted(name for name, announced in found.items() if announced.database != here)
    service = system.settings.service_name
    consuming = {
        name: announced
        for name, announced in found.items()
        if announced.database == here and announced.service in (service, None)
    }
    others = sorted(found.keys() - consuming.keys())
    if elsewhere and not consuming:
        raise ConfigurationError(
            f"{', '.join(elsewhere)} use another database than this process. Give web and workers the same "
            "SQR_JOBS_DATABASE_URL or engine. If they belong to another service, start a worker here."
        )
    if not consuming:
        raise ConfigurationError(
            f"no worker consumes for the service {service}; those on this database work for another. Give "
            "web and workers the same SQR_JOBS_SERVICE, or the same SQR_JOBS_PREFIX."
        )
    if others and inspection.shares_messages(system):
        raise ConfigurationError(
            f"{', '.join(others)} work for another service or database, and take this one's messages. Give "
            "each service a virtual host on RabbitMQ, or web and workers the same settings."
        )
    told = f"{len(consuming)} consuming, on this database: {', '.join(sorted(consuming))}"
    assert isinstance(system.templates, Catalog)
    lacking = _without_template(consuming, [str(ref) for ref in system.templates.refs()])
    unknown = [template for template, names in lacking.items() if len(names) == len(consuming)]
    if unknown:
        raise ConfigurationError(
            f"no worker knows {' and '.join(unknown)}, so its jobs wait until their deadline. Deploy the "
            "templates of this process to the workers, before the web processes."
        )
    to_know = [f"{', '.join(names)} do not know {template}" for template, names in lacking.items()]
    if to_know:
        told += f"; {'; '.join(to_know)}: they leave its jobs to the others"
    if elsewhere:
        told += f". Of another service, or wrong: {', '.join(elsewhere)} use another database"
    return Note(told) if to_know or elsewhere else told


def _without_template(found: Mapping[str, Announcement], templates: list[str]) -> dict[str, list[str]]:
    """Name, for each template of this process that some worker does not know, those workers."""
    lacking = {}
    for template in templates:
        names = [
            name
            for name, announced in sorted(found.items())
            if announced.templates is not None and template not in announced.templates
        ]
        if names:
            lacking[template] = names
    return lacking


def limiter(system: System) -> str:
    """Count a request of nobody's where all processes count."""
    quota = system.quotas.default
    try:
        took_s = inspection.hit_shared_limiter(system, f"sqr-jobs-check-{secrets.token_hex(8)}", quota)
    except DatabaseUnavailable as error:  # its keys carry the database's identity
        raise ConfigurationError(f"{error} See the line on the database.") from None
    told = f"{quota.requests} in {quota.window_s} s"
    if took_s is not None and took_s <= _LATE_S:
        return f"{told}, shared; the database holds the same ceiling"
    if took_s is not None:
        return Note(
            f"{told}, but each process counts for itself; the database holds the same ceiling. The storage "
            f"answers after {took_s * 1000:.0f} ms, and a request waits {_LATE_S * 1000:.0f} ms at most. Use "
            "a nearer one: SQR_JOBS_LIMITER_URL"
        )
    if system.settings.is_embedded:
        return f"{told}, in this process's memory; the database holds the same ceiling"
    return Note(
        f"{told}, but each process counts for itself; the database holds the same ceiling. Set "
        "SQR_JOBS_LIMITER_URL=redis://… to count together"
    )
