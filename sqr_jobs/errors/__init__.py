"""Everything that can be wrong, as one tree.

    SqrJobsError
    ├── ConfigurationError         the host must change a setting or its code; raised at start
    │   └── FactoryFailed          its factory raised in the render child
    ├── RequestRefused             the caller must change the request, wait or ask someone else
    │   ├── Unauthenticated        InsufficientScope      UnsupportedMediaType   BodyTooLarge
    │   ├── RequestInvalid         RateLimited            UserNotFound           UserNotPermitted
    │   ├── IdempotencyKeyReused   IdempotencyKeyInUse
    │   ├── JobAlreadyActive       JobNotFound            JobNotComplete         JobFailed
    │   ├── JobAlreadyEnded
    │   └── DocumentExpired        DocumentGone           LinkRefused
    ├── Unavailable                a part is out of reach for now; try again
    │   ├── DatabaseUnavailable    DocumentsUnavailable   QueueUnavailable
    │   └── LimiterUnavailable     IdentityUnavailable
    └── AttemptEnded               how one attempt ended without a document; never crosses the API
        ├── AttemptFailed          with the job's error code
        ├── AttemptAborted         the worker is shutting down: the job goes back
        └── LeaseLost              another attempt may own the job: nothing may be written

A name states the fact, the message says what to do. `code` is stable; which HTTP status stands for which
error is said in one table, `sqr_jobs.web.problems`.
"""

from sqr_jobs.errors.attempts import AttemptAborted, AttemptEnded, AttemptFailed, LeaseLost
from sqr_jobs.errors.outages import (
    DatabaseUnavailable,
    DocumentsUnavailable,
    IdentityUnavailable,
    LimiterUnavailable,
    QueueUnavailable,
    Unavailable,
)
from sqr_jobs.errors.refusals import (
    BodyTooLarge,
    DocumentExpired,
    DocumentGone,
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    InsufficientScope,
    JobAlreadyActive,
    JobAlreadyEnded,
    JobFailed,
    JobNotComplete,
    JobNotFound,
    LinkRefused,
    RateLimited,
    RequestInvalid,
    RequestRefused,
    Unauthenticated,
    UnsupportedMediaType,
    UserNotFound,
    UserNotPermitted,
)
from sqr_jobs.errors.roots import ConfigurationError, FactoryFailed, SqrJobsError

__all__ = [
    "AttemptAborted",
    "AttemptEnded",
    "AttemptFailed",
    "BodyTooLarge",
    "ConfigurationError",
    "DatabaseUnavailable",
    "DocumentExpired",
    "DocumentGone",
    "DocumentsUnavailable",
    "FactoryFailed",
    "IdempotencyKeyInUse",
    "IdempotencyKeyReused",
    "IdentityUnavailable",
    "InsufficientScope",
    "JobAlreadyActive",
    "JobAlreadyEnded",
    "JobFailed",
    "JobNotComplete",
    "JobNotFound",
    "LeaseLost",
    "LimiterUnavailable",
    "LinkRefused",
    "QueueUnavailable",
    "RateLimited",
    "RequestInvalid",
    "RequestRefused",
    "SqrJobsError",
    "Unauthenticated",
    "Unavailable",
    "UnsupportedMediaType",
    "UserNotFound",
    "UserNotPermitted",
]

# A traceback names what a host can import.
for _name in __all__:
    globals()[_name].__module__ = __name__
