"""Which error is which HTTP answer: one table, looked up along the exception's MRO."""

import logging
from typing import Final

from sqr_jobs.errors import (
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
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
    UserNotFound,
    UserNotPermitted,
)
from sqr_jobs.logs import stack_of
from sqr_jobs.web.messages import HttpReply
from sqr_jobs.web.models import Problem, error_code

__all__ = ["PROBLEMS", "poll_again_s", "problem_reply"]

_logger = logging.getLogger("sqr_jobs.web")

PROBLEMS: Final[dict[type[Exception], tuple[int, str]]] = {
    Unauthenticated: (401, "Authentication required"),
    InsufficientScope: (403, "Scope missing"),
    UserNotPermitted: (403, "User not permitted"),
    JobNotFound: (404, "Job not found"),
    UserNotFound: (404, "User not found"),
    IdempotencyKeyInUse: (409, "Idempotency key in use"),
    IdempotencyKeyReused: (422, "Idempotency key reused"),
    JobAlreadyActive: (409, "Job already active"),
    JobAlreadyEnded: (409, "Job already ended"),
    DocumentExpired: (410, "Document expired"),
    DocumentGone: (410, "Document gone"),
    BodyTooLarge: (413, "Body too large"),
    UnsupportedMediaType: (415, "Unsupported media type"),
    RequestInvalid: (400, "Request invalid"),
    JobNotComplete: (422, "Job not complete"),
    JobFailed: (422, "Job failed"),
    LinkRefused: (403, "Link refused"),
    RateLimited: (429, "Rate limit exceeded"),
    Unavailable: (503, "Service unavailable"),
    Exception: (500, "Internal error"),
}
"""Status and title of each error; `code` is the error's own."""

_UNAVAILABLE_RETRY_S = 5
_FAST_POLL_S, _SLOW_POLL_S, _FAST_FOR_MS = 3, 10, 30_000


def poll_again_s(*, age_ms: int) -> int:
    """Say after how many seconds a poll is worth it: 3 in the first 30 s, 10 after that."""
    return _FAST_POLL_S if age_ms < _FAST_FOR_MS else _SLOW_POLL_S


def problem_reply(error: Exception, *, instance: str, support: str | None) -> HttpReply:
    """Answer an error as a problem (RFC 9457).

    What nobody foresaw is logged by its class and place, and answered without detail. `instance` is the
    request's path as a URI reference; an error of the creation points to a job below it.
    """
    status, title = next(PROBLEMS[cls] for cls in type(error).__mro__ if cls in PROBLEMS)
    code = getattr(error, "code", "INTERNAL_ERROR")
    detail: str | None = str(error)
    headers = {"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
    if status == 500:  # noqa: PLR2004 - the table's own
        code = "INTERNAL_ERROR"
        detail = "Something went wrong on our side." + (f" Contact {support}." if support else "")
        _logger.error("%s failed unexpectedly%s", instance, stack_of(error))
    match error:
        case Unauthenticated():
            _logger.info("refused a token: %s", error.reason)
            headers["WWW-Authenticate"] = 'Bearer error="invalid_token"' if error.token_sent else "Bearer"
        case InsufficientScope():
            headers["WWW-Authenticate"] = f'Bearer error="insufficient_scope", scope="{error.scope}"'
        case UnsupportedMediaType(accept_encoding=str(codings)):
            headers["Accept-Encoding"] = codings
        case IdempotencyKeyInUse():
            headers["Retry-After"] = "1"
        case RateLimited():
            headers["Retry-After"] = str(error.retry_after_s)
        case JobAlreadyActive():
            headers["Location"] = f"{instance}/{error.job.job_id}"
        case JobNotComplete():
            headers["Retry-After"] = str(poll_again_s(age_ms=error.job.as_of - error.job.created_at))
        case Unavailable():
            _logger.warning("%s is not available: %s", instance, error)
            detail = "A part of the service is out of reach. Try again soon."
            headers["Retry-After"] = str(_UNAVAILABLE_RETRY_S)
    problem = Problem(
        type="about:blank",
        title=title,
        status=status,
        code=code,
        detail=detail,
        instance=instance,
        **_of_job(error),
    )
    return HttpReply(status=status, headers=headers, body=problem.json_bytes())


def _of_job(error: Exception) -> dict[str, object]:
    """Tell, with an error about a job, how that job stands."""
    match error:
        case JobAlreadyActive() | JobAlreadyEnded():
            return {"job_id": error.job.job_id, "job_status": error.job.status}
        case JobNotComplete():
            return {"job_status": error.job.status}
        case JobFailed():
            return {"job_status": error.job.status, "error_code": error_code(error.job)}
    return {}
