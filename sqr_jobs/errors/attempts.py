"""How one attempt ended without a document; none of it crosses the API."""

from typing import TYPE_CHECKING

from sqr_jobs.errors.roots import SqrJobsError

if TYPE_CHECKING:
    from sqr_jobs.domain.failures import JobErrorCode

__all__ = ["AttemptAborted", "AttemptEnded", "AttemptFailed", "LeaseLost"]


class AttemptEnded(SqrJobsError):
    """One attempt ended without a document."""


class AttemptFailed(AttemptEnded):
    """An attempt failed with the job's error code.

    `cause` is internal text for the audit row and may hold personal data. For the log there are `reason`, in
    words of our own, and `stack`, which names files, lines and functions, without messages or values.
    `is_final` says that another try can't help, though others with this code are tried again.
    """

    def __init__(
        self,
        code: "JobErrorCode",
        cause: str,
        *,
        reason: str = "",
        stack: str = "",
        is_final: bool = False,
    ) -> None:
        super().__init__(str(code))
        self.code = code
        self.cause = cause
        self.reason = reason
        self.stack = stack
        self.is_final = is_final


class AttemptAborted(AttemptEnded):
    """The worker is shutting down and this attempt did not end in time; the job goes back."""


class LeaseLost(AttemptEnded):
    """The lease ran out under the attempt; another one may own the job by now."""
