"""The job's states and the only ways between them."""

from enum import StrEnum

__all__ = ["ACTIVE", "TERMINAL", "TRANSITIONS", "ApiStatus", "JobState", "Transition", "api_status"]


class JobState(StrEnum):
    """Where a job stands.

    Every change goes through a `Transition`; a terminal state never changes again.
    """

    QUEUED = "QUEUED"
    """Accepted and not begun. `create` puts a job here; a claim, the deadline or a cancel takes it out."""

    RUNNING = "RUNNING"
    """An attempt holds the lease. A claim puts a job here; the attempt's own end (complete, fail, give
    back), the expiry of its lease, the deadline or a cancel takes it out."""

    RETRY_WAIT = "RETRY_WAIT"
    """Waiting for its next attempt. A failure that may pass, a lost lease or a give back puts a job here;
    a claim from `available_at` on, the deadline or a cancel takes it out."""

    COMPLETE = "COMPLETE"
    """The document is stored. The attempt that stored it puts a job here; nothing takes it out."""

    FAILED = "FAILED"
    """There will be no document. The failing attempt, the reaper or whoever meets a job past its deadline
    puts a job here; nothing takes it out."""

    CANCELLED = "CANCELLED"
    """Someone asked for it not to be made. A cancel puts a job here; nothing takes it out."""


class ApiStatus(StrEnum):
    """What the API says of a job (contract, "GET status")."""

    PENDING = "PENDING"
    """No attempt has begun."""
    IN_PROGRESS = "IN_PROGRESS"
    """An attempt runs, or another one will."""
    COMPLETE = "COMPLETE"
    """The document can be downloaded, until it expires."""
    FAILED = "FAILED"
    """There will be none; `errorCode` says why."""


class Transition(StrEnum):
    """The named ways from one state to another; each is one conditional write."""

    CLAIM = "claim"
    COMPLETE = "complete"
    RETRY = "retry"
    FAIL = "fail"
    GIVE_BACK = "give back"
    LOSE = "lose lease"
    EXPIRE = "pass deadline"
    CANCEL = "cancel"


ACTIVE = frozenset({JobState.QUEUED, JobState.RUNNING, JobState.RETRY_WAIT})
TERMINAL = frozenset(JobState) - ACTIVE

_WAITING = frozenset({JobState.QUEUED, JobState.RETRY_WAIT})
_RUNNING = frozenset({JobState.RUNNING})

TRANSITIONS: dict[Transition, tuple[frozenset[JobState], JobState]] = {
    Transition.CLAIM: (_WAITING, JobState.RUNNING),
    Transition.COMPLETE: (_RUNNING, JobState.COMPLETE),
    Transition.RETRY: (_RUNNING, JobState.RETRY_WAIT),
    Transition.FAIL: (_RUNNING, JobState.FAILED),
    Transition.GIVE_BACK: (_RUNNING, JobState.RETRY_WAIT),
    Transition.LOSE: (_RUNNING, JobState.RETRY_WAIT),
    Transition.EXPIRE: (ACTIVE, JobState.FAILED),
    Transition.CANCEL: (ACTIVE, JobState.CANCELLED),
}
"""From which states, into which one."""

_API_STATUS = {
    JobState.QUEUED: ApiStatus.PENDING,
    JobState.RUNNING: ApiStatus.IN_PROGRESS,
    JobState.RETRY_WAIT: ApiStatus.IN_PROGRESS,
    JobState.COMPLETE: ApiStatus.COMPLETE,
    JobState.FAILED: ApiStatus.FAILED,
    JobState.CANCELLED: ApiStatus.FAILED,
}


def api_status(state: JobState) -> ApiStatus:
    """Say in the API's words where a job stands; a wait between attempts stays IN_PROGRESS."""
    return _API_STATUS[state]
