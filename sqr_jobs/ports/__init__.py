"""What the core needs from the world, one protocol per need, split by who uses it.

Every implementation passes the port's contract suite under `tests/contracts`. Third-party exceptions never
cross a port: what can go wrong is named in each docstring, by a class of `sqr_jobs.errors`.
"""

from sqr_jobs.ports.documents import (
    DocumentLinks,
    DocumentProducer,
    DocumentStore,
    LocalDocuments,
    ProducedDocument,
    RenderOrder,
    VerifyingDocuments,
)
from sqr_jobs.ports.host import AsyncUserDirectory, Authenticator, TemplateCatalog, UserDirectory
from sqr_jobs.ports.jobs import JobExecution, JobHistory, JobIntake, JobUpkeep
from sqr_jobs.ports.operations import JobOperations, JobRetention
from sqr_jobs.ports.queue import JobQueue, OwnDoorbell
from sqr_jobs.ports.rates import Quota, RateLimiter

__all__ = [
    "AsyncUserDirectory",
    "Authenticator",
    "DocumentLinks",
    "DocumentProducer",
    "DocumentStore",
    "JobExecution",
    "JobHistory",
    "JobIntake",
    "JobOperations",
    "JobQueue",
    "JobRetention",
    "JobUpkeep",
    "LocalDocuments",
    "OwnDoorbell",
    "ProducedDocument",
    "Quota",
    "RateLimiter",
    "RenderOrder",
    "TemplateCatalog",
    "UserDirectory",
    "VerifyingDocuments",
]
