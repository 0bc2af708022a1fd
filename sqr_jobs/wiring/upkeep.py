"""Makes what keeps the store tidy, and what operators work with, from the parts of a service."""

from typing import TYPE_CHECKING

from sqr_jobs.operations import Operations
from sqr_jobs.retention import Retention

if TYPE_CHECKING:
    from sqr_jobs.wiring.system import System

__all__ = ["operations_of", "retention_of"]


def operations_of(system: "System") -> Operations:
    """Make what operators work with."""
    from sqr_jobs.adapters.sql import SqlJobOperations  # noqa: PLC0415 - a render child needs no SQLAlchemy

    return Operations(
        reports=system.reports,
        jobs=SqlJobOperations(system.database),
        history=system.history,
        documents=lambda: system.documents,
    )


def retention_of(system: "System") -> Retention:
    """Make what deletes objects and rows whose time is over."""
    from sqr_jobs.adapters.sql import SqlJobRetention  # noqa: PLC0415

    lifetime_ms = round(system.settings.job_lifetime_s * 1000)
    jobs = SqlJobRetention(system.database, job_lifetime_ms=lifetime_ms)
    return Retention(jobs=jobs, documents=system.documents)
