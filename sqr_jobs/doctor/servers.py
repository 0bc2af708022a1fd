"""Looking at what runs beside the application: database, broker, workers, limiter."""

import secrets

from sqr_jobs.doctor.findings import Note
from sqr_jobs.errors import ConfigurationError
from sqr_jobs.wiring import System
from sqr_jobs.wiring.inspection import limiter_answers, limiter_is_shared

__all__ = ["broker", "database", "limiter", "migrations", "workers"]


def database(system: System) -> str:
    """Connect, tell which it is, and look for what is wrong with it."""
    with system.database.read() as connection:
        told = system.database.dialect.told(connection)
        system.database.dialect.check(connection)
    if system.database.is_sqlite and not system.settings.is_embedded:
        return Note(
            f"{told}: one file, so every web and worker process must run on this machine. For several "
            "machines set SQR_JOBS_DATABASE_URL=postgresql+psycopg://…"
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
    """Ask it how many messages wait."""
    if system.settings.is_embedded:
        return "in memory, inside the web process"
    return f"answers; {system.queue.waiting()} messages wait"


def workers(system: System) -> str:
    """Ask the broker who announced themselves, and compare their database with this one."""
    settings = system.settings
    if settings.is_embedded and not settings.embedded_worker:
        return Note("none: SQR_JOBS_EMBEDDED_WORKER is false, so jobs wait until somebody runs them")
    if settings.is_embedded:
        return "embedded: the web process starts one with its first request"
    workers = system.queue.workers()
    if not workers:
        raise ConfigurationError("no worker is consuming. Start one: sqr-jobs worker")
    here = system.maintenance().database_identity()
    elsewhere = sorted(name for name, database in workers.items() if database != here)
    if elsewhere:
        raise ConfigurationError(
            f"{', '.join(elsewhere)} use another database than this process. Give web and workers the same "
            "SQR_JOBS_DATABASE_URL."
        )
    return f"{len(workers)} consuming, on this database: {', '.join(sorted(workers))}"


def limiter(system: System) -> str:
    """Count a request of nobody's."""
    quota = system.limiter.hit(f"sqr-jobs-check-{secrets.token_hex(8)}", system.quotas.default)
    if not limiter_answers(system):
        raise ConfigurationError(
            "its storage does not answer; each process counts for itself meanwhile, and the database holds "
            "the ceiling. Is it running, and is SQR_JOBS_LIMITER_URL (by default the broker's) right?"
        )
    told = f"{quota.limit} in {quota.window_s} s"
    if limiter_is_shared(system):
        return f"{told}, shared; the database holds the same ceiling"
    if system.settings.is_embedded:
        return f"{told}, in this process's memory; the database holds the same ceiling"
    return Note(
        f"{told}, but each process counts for itself; the database holds the same ceiling. Set "
        "SQR_JOBS_LIMITER_URL=redis://… to count together"
    )
