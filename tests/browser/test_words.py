"""The page knows every reason that the service can give."""

from importlib.resources import files

import sqr_jobs.errors
from sqr_jobs.domain.failures import JobErrorCode

_NOT_FOR_THIS_CLIENT = {
    "BODY_TOO_LARGE",
    "IDEMPOTENCY_KEY_IN_USE",
    "IDEMPOTENCY_KEY_REUSED",
    "JOB_ALREADY_ENDED",
    "LINK_REFUSED",
    "REQUEST_INVALID",
    "UNSUPPORTED_MEDIA_TYPE",
}
"""What the page's own requests can't come to; the answer's words are shown should they."""


def test_every_reason_has_plain_words() -> None:
    """A code that is added must not reach a person bare."""
    words = (files("sqr_jobs.demo") / "page" / "words.js").read_text(encoding="utf-8")
    codes = {code.value for code in JobErrorCode} | {"INTERNAL_ERROR"}
    for name in sqr_jobs.errors.__all__:
        codes |= {code} if (code := getattr(getattr(sqr_jobs.errors, name), "code", None)) else set()
    told = {code for code in codes if isinstance(code, str) and f"  {code}: [" in words}
    assert {code for code in codes if isinstance(code, str)} - told == _NOT_FOR_THIS_CLIENT
