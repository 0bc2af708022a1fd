"""What operators ask of the job store, and what retention finds there."""

from dataclasses import dataclass, field

from sqr_jobs.domain.states import JobState

__all__ = ["Collectable", "Erased", "JobSearch"]


@dataclass(frozen=True, kw_only=True)
class Collectable:
    """A job some of whose objects in the document store have had their time."""

    job_id: str
    keys: tuple[str, ...] = field(repr=False)
    """What to delete: of attempts that lost, and of a document that expired."""
    since: int
    """When the first of them had had its time, as this was read."""
    next_at: int | None
    """When the job's document will have had its time, where it stays; None where nothing is left."""


@dataclass(frozen=True, kw_only=True)
class JobSearch:
    """Which jobs an operator wants to see; every field that is given narrows it."""

    org_id: str | None = None
    user_id: str | None = None
    states: frozenset[JobState] = frozenset()
    template: str | None = None
    error_code: str | None = None
    limit: int = 50
    """The newest so many."""


@dataclass(frozen=True, kw_only=True)
class Erased:
    """What of one person was erased."""

    jobs: int
    """Jobs that no longer tell whom they were about."""
    causes: int
    """Internal error texts that were deleted."""
    idempotency_keys: int
    """Fingerprints of requests that were deleted."""
