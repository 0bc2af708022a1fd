"""Why an attempt or a job failed, and what follows from it."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "FAULTS_OF_THE_WORKER",
    "GiveUp",
    "JobErrorCode",
    "RetryLater",
    "RetryPolicy",
    "after_failure",
    "after_lost_lease",
    "growing_delay_ms",
]

_LONGEST_DELAY_MS = 60_000


class JobErrorCode(StrEnum):
    """The `errorCode` of a FAILED job (contract, "Job error codes"); no code ever changes its meaning."""

    @classmethod
    def _missing_(cls, value: object) -> "JobErrorCode | None":
        """Take a code that a newer version has written; rows outlive a deployment."""
        if not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_ = unknown._value_ = value
        return unknown

    REPORT_DATA_UNAVAILABLE = "REPORT_DATA_UNAVAILABLE"
    """The template's `load` raised. Tried again, unless it raised for a mistake in its code."""
    REPORT_DATA_INVALID = "REPORT_DATA_INVALID"
    """`load` gave what the data model refuses. Not tried again."""
    RENDER_FAILED = "RENDER_FAILED"
    """Laying out or finishing raised. Not tried again."""
    RENDER_TIMEOUT = "RENDER_TIMEOUT"
    """One attempt passed its time limit. Tried again once."""
    RENDER_CRASHED = "RENDER_CRASHED"
    """The render child died. Tried until the bound of crashes."""
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    """The attempt passed its memory limit. Tried again once."""
    OUTPUT_TOO_LARGE = "OUTPUT_TOO_LARGE"
    """The document passed its size limit. Not tried again."""
    STORAGE_UNAVAILABLE = "STORAGE_UNAVAILABLE"
    """The document could not be stored. Tried again."""
    WORKER_LOST = "WORKER_LOST"
    """Workers died while they held the job. Tried until the bound of crashes."""
    TEMPLATE_NOT_FOUND = "TEMPLATE_NOT_FOUND"
    """At the deadline, no worker knew the template or its version."""
    RENDER_START_FAILED = "RENDER_START_FAILED"
    """At the deadline, no worker could start a render child. Tried again, and not counted."""
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    """The job was not complete in time."""
    CANCELLED = "CANCELLED"
    """Someone cancelled the job."""


_NEVER_AGAIN = frozenset(
    {JobErrorCode.REPORT_DATA_INVALID, JobErrorCode.RENDER_FAILED, JobErrorCode.OUTPUT_TOO_LARGE}
)
_ONCE_AGAIN = frozenset({JobErrorCode.RENDER_TIMEOUT, JobErrorCode.OUT_OF_MEMORY})
_CRASHES = frozenset({JobErrorCode.RENDER_CRASHED, JobErrorCode.WORKER_LOST})


FAULTS_OF_THE_WORKER = frozenset({JobErrorCode.TEMPLATE_NOT_FOUND, JobErrorCode.RENDER_START_FAILED})
"""Another worker may be able to make the job: it is given back, and nothing is counted."""


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often and how soon a job is tried again."""

    max_failures: int = 5
    """Failed attempts after which a job is FAILED."""
    max_crashes: int = 3
    """Attempts whose child or worker died, after which a job is FAILED."""
    backoff_ms: int = 2_000
    """The wait before the first retry, in milliseconds; it doubles with each failure."""


@dataclass(frozen=True, kw_only=True)
class RetryLater:
    """The job waits and is tried again."""

    delay_ms: int
    failures: int
    crashes: int


@dataclass(frozen=True, kw_only=True)
class GiveUp:
    """The job is FAILED with the code of its last failure."""

    failures: int
    crashes: int


def after_failure(
    code: JobErrorCode,
    *,
    failures: int,
    crashes: int,
    same_before: int,
    left_ms: int,
    policy: RetryPolicy,
    jitter: float,
    is_final: bool = False,
) -> RetryLater | GiveUp:
    """Decide what follows a failed attempt.

    `failures` and `crashes` count the attempts before this one, `same_before` those of them that failed
    with this very code; `left_ms` is the time to the deadline; `jitter` in [-1, 1] moves the wait by up
    to 20 %, so that jobs that failed together do not come back together. `is_final` says that another try
    can't help.
    """
    crashed = code in _CRASHES
    failures, crashes = failures + (not crashed), crashes + crashed
    delay_ms = round(policy.backoff_ms * 2 ** (max(failures + crashes, 1) - 1) * (1 + 0.2 * jitter))
    hopeless = (
        is_final
        or code in _NEVER_AGAIN
        or (code in _ONCE_AGAIN and same_before >= 1)
        or failures >= policy.max_failures
        or crashes >= policy.max_crashes
        or delay_ms >= left_ms
    )
    if hopeless:
        return GiveUp(failures=failures, crashes=crashes)
    return RetryLater(delay_ms=delay_ms, failures=failures, crashes=crashes)


def after_lost_lease(*, failures: int, crashes: int, policy: RetryPolicy) -> RetryLater | GiveUp:
    """Decide what follows when a worker died: tried again at once, until the bound of crashes."""
    if crashes + 1 >= policy.max_crashes:
        return GiveUp(failures=failures, crashes=crashes + 1)
    return RetryLater(delay_ms=0, failures=failures, crashes=crashes + 1)


def growing_delay_ms(first_ms: int, *, same_before: int) -> int:
    """Compute the delay of a job that is given back again, in milliseconds.

    It doubles with each earlier time, up to a minute: 5, 10, 20, 40 and 60 s.
    """
    return min(first_ms << min(same_before, 16), max(first_ms, _LONGEST_DELAY_MS))
