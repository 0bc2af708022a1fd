"""What is out of reach for now."""

from typing import ClassVar

from sqr_jobs.errors.roots import SqrJobsError

__all__ = [
    "DatabaseUnavailable",
    "DocumentsUnavailable",
    "IdentityUnavailable",
    "LimiterUnavailable",
    "QueueUnavailable",
    "Unavailable",
]


class Unavailable(SqrJobsError):
    """A part that the request needs is out of reach; trying again soon can help.

    Its text goes to the log; the client is answered 503 without it.
    """

    code: ClassVar[str] = "SERVICE_UNAVAILABLE"


class DatabaseUnavailable(Unavailable):
    """The database did not answer in time, or refused."""


class DocumentsUnavailable(Unavailable):
    """The document store did not answer in time, or refused."""


class QueueUnavailable(Unavailable):
    """The broker did not take the message. Nothing is lost: the relay rings again."""


class LimiterUnavailable(Unavailable):
    """The rate limiter's storage did not answer in time."""


class IdentityUnavailable(Unavailable):
    """The issuer's keys could not be fetched, so no token can be judged."""
