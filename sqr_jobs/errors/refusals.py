"""What a caller must change, wait for, or ask someone else about."""

from typing import TYPE_CHECKING, ClassVar

from sqr_jobs.errors.roots import SqrJobsError

if TYPE_CHECKING:
    from sqr_jobs.domain.job import Job

__all__ = [
    "BodyTooLarge",
    "DocumentExpired",
    "DocumentGone",
    "IdempotencyKeyInUse",
    "IdempotencyKeyReused",
    "InsufficientScope",
    "JobAlreadyActive",
    "JobAlreadyEnded",
    "JobFailed",
    "JobNotComplete",
    "JobNotFound",
    "LinkRefused",
    "RateLimited",
    "RequestInvalid",
    "RequestRefused",
    "Unauthenticated",
    "UnsupportedMediaType",
    "UserNotFound",
    "UserNotPermitted",
]


class RequestRefused(SqrJobsError):
    """The request can't be answered as asked; each kind has a class of its own."""

    code: ClassVar[str]
    """What the API says, such as `USER_NOT_FOUND`; no code ever changes its meaning."""


class Unauthenticated(RequestRefused):
    """No token, or one that does not hold. The reason goes to the log, never to the caller.

    `token_sent` says whether there was one: the answer's `WWW-Authenticate` then says `invalid_token`.
    """

    code = "UNAUTHENTICATED"

    def __init__(self, reason: str, *, token_sent: bool) -> None:
        super().__init__("Send a valid access token: Authorization: Bearer <token>.")
        self.reason = reason
        self.token_sent = token_sent


class InsufficientScope(RequestRefused):
    """The token is valid and lacks a scope."""

    code = "INSUFFICIENT_SCOPE"

    def __init__(self, scope: str) -> None:
        super().__init__(f"The access token lacks the scope {scope}. Ask for a token that has it.")
        self.scope = scope


class UnsupportedMediaType(RequestRefused):
    """The body is not declared as JSON, or is compressed.

    `accept_encoding` names the content codings that are accepted, where another one was sent.
    """

    code = "UNSUPPORTED_MEDIA_TYPE"

    def __init__(self, message: str, *, accept_encoding: str | None = None) -> None:
        super().__init__(message)
        self.accept_encoding = accept_encoding


class BodyTooLarge(RequestRefused):
    """The body passes the configured limit."""

    code = "BODY_TOO_LARGE"


class RequestInvalid(RequestRefused):
    """The body is malformed or breaks a rule; the message has a sentence per fault."""

    code = "REQUEST_INVALID"


class RateLimited(RequestRefused):
    """The org has used up its creations for now."""

    code = "RATE_LIMITED"

    def __init__(self, *, retry_after_s: int, limit: int, window_s: int) -> None:
        super().__init__(
            f"At most {limit} reports in any {window_s} seconds may be requested per organisation. "
            f"Try again in {retry_after_s} s."
        )
        self.retry_after_s = retry_after_s
        self.limit = limit
        self.window_s = window_s


class IdempotencyKeyReused(RequestRefused):
    """The key stands for another request of this org."""

    code = "IDEMPOTENCY_KEY_REUSED"

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used with another body. Send a new key for a new request.")


class IdempotencyKeyInUse(RequestRefused):
    """A request with this key is being answered at this moment."""

    code = "IDEMPOTENCY_KEY_IN_USE"

    def __init__(self) -> None:
        super().__init__("A request with this Idempotency-Key is being answered. Send it again in a second.")


class UserNotFound(RequestRefused):
    """The host knows no such user."""

    code = "USER_NOT_FOUND"


class UserNotPermitted(RequestRefused):
    """The user exists, and the caller's org may not report on them."""

    code = "USER_NOT_PERMITTED"


class JobAlreadyActive(RequestRefused):
    """A job of this org for this user is still active."""

    code = "JOB_ALREADY_ACTIVE"

    def __init__(self, job: "Job") -> None:
        super().__init__("A report for this user is already being made. Wait for that job to end.")
        self.job = job


class JobAlreadyEnded(RequestRefused):
    """The job is COMPLETE or FAILED, so there is nothing to cancel."""

    code = "JOB_ALREADY_ENDED"

    def __init__(self, job: "Job") -> None:
        super().__init__("This job has ended, so it can't be cancelled any more. Look at its status.")
        self.job = job


class JobNotFound(RequestRefused):
    """The caller's org has no such job; the same for another org's job and for a malformed id."""

    code = "JOB_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is no such report job. Check the id that the creation answered.")


class JobNotComplete(RequestRefused):
    """The document is not there yet and may still come."""

    code = "JOB_NOT_COMPLETE"

    def __init__(self, job: "Job") -> None:
        super().__init__("The report is not complete yet. Poll the job's status and ask again.")
        self.job = job


class JobFailed(RequestRefused):
    """The document will not come."""

    code = "JOB_FAILED"

    def __init__(self, job: "Job") -> None:
        super().__init__("The report could not be made. Create a new job to try again.")
        self.job = job


class DocumentExpired(RequestRefused):
    """The document is past its retention."""

    code = "DOCUMENT_EXPIRED"

    def __init__(self) -> None:
        super().__init__("The report was kept for a limited time and has expired. Create a new job.")


class DocumentGone(RequestRefused):
    """The document vanished from the store, which an operator must hear of."""

    code = "DOCUMENT_GONE"

    def __init__(self) -> None:
        super().__init__("The report is no longer stored. Create a new job.")


class LinkRefused(RequestRefused):
    """A signed URL of the local document store is expired or was changed."""

    code = "LINK_REFUSED"

    def __init__(self) -> None:
        super().__init__("This link is not valid, or no longer. Ask for a fresh URL.")
