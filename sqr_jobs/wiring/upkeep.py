"""Makes what keeps the store tidy, and what operators work with, from the parts of a service."""

import importlib.metadata
from typing import TYPE_CHECKING

from sqr_jobs.errors import ConfigurationError
from sqr_jobs.maintenance import Maintenance
from sqr_jobs.operations import Operations
from sqr_jobs.ports import JobQueue, OwnDoorbell
from sqr_jobs.retention import Retention
from sqr_jobs.settings import Settings
from sqr_jobs.wiring import parts

if TYPE_CHECKING:
    from sqr_jobs.documents.template import Catalog
    from sqr_jobs.wiring.system import System

__all__ = ["check_lifetimes", "maintenance_of", "operations_of", "relay_queue_of"]


def operations_of(system: "System") -> Operations:
    """Make what operators work with."""
    from sqr_jobs.adapters.sql import SqlJobOperations  # noqa: PLC0415 - a render child needs no SQLAlchemy

    return Operations(
        reports=system.reports,
        jobs=SqlJobOperations(system.database, service=system.settings.service_name),
        history=system.history,
        documents=lambda: system.documents,
        service=system.settings.service_name,
    )


def maintenance_of(system: "System", *, is_worker: bool, own: OwnDoorbell | None) -> Maintenance:
    """Make relay, reaper and retention."""
    from sqr_jobs.adapters.sql import SqlJobUpkeep  # noqa: PLC0415

    settings = system.settings
    return Maintenance(
        jobs=SqlJobUpkeep(
            system.database,
            service=settings.service_name,
            templates=system.templates.refs(),
            policy=parts.policy_for(settings),
        ),
        queue=relay_queue_of(system, is_worker=is_worker),
        relay_interval_s=settings.relay_interval_s,
        reaper_interval_s=settings.reaper_interval_s,
        retention=_retention_of(system),
        is_worker=is_worker,
        service=settings.service_name,
        templates=[str(template) for template in system.templates.refs()],
        version=importlib.metadata.version("sqr-jobs"),
        own=own,
    )


def relay_queue_of(system: "System", *, is_worker: bool) -> JobQueue:
    """Make the relay's own doorbell, which waits for a broker that is far away."""
    from sqr_jobs.actors import ACTOR, QUEUE  # noqa: PLC0415
    from sqr_jobs.adapters.dramatiq_queue import DramatiqQueue  # noqa: PLC0415
    from sqr_jobs.adapters.embedded_worker import NoQueue  # noqa: PLC0415

    if parts.broker_url(system.settings) is None:  # an embedded worker beside it looks for itself
        return system.queue if is_worker else NoQueue()
    return DramatiqQueue(lambda: system.relaying_broker, queue_name=QUEUE, actor_name=ACTOR, breaker_s=0)


def _retention_of(system: "System") -> Retention:
    """Make what deletes objects and rows whose time is over."""
    from sqr_jobs.adapters.sql import SqlJobRetention  # noqa: PLC0415

    settings = system.settings
    lifetime_ms = round(settings.job_lifetime_s * 1000)
    jobs = SqlJobRetention(system.database, service=settings.service_name, job_lifetime_ms=lifetime_ms)
    return Retention(jobs=jobs, documents=system.documents)


def check_lifetimes(templates: "Catalog", settings: Settings) -> None:
    """See that no template keeps its documents for no time or too long. Raises `ConfigurationError`."""
    longest_s = settings.max_document_lifetime_s
    for template in templates.refs():
        kept_s = templates.document_lifetime_s(template)
        if kept_s is not None and not 0 < kept_s <= longest_s:
            raise ConfigurationError(
                f"The template {template} has a document_lifetime_s of {kept_s:.12g}. Give it one between 0 "
                f"and SQR_JOBS_MAX_DOCUMENT_LIFETIME_S, which is {longest_s:.12g}."
            )
