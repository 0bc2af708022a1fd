"""The limit on how fast an org may ask."""

from dataclasses import dataclass
from typing import Protocol

from sqr_jobs.domain.rate_limit import RateLimit
from sqr_jobs.errors import RateLimited

__all__ = ["Quota", "RateLimiter"]


@dataclass(frozen=True, kw_only=True)
class Quota:
    """What an org has left after a request was counted."""

    allowed: bool
    limit: int
    window_s: int
    remaining: int
    reset_s: int
    """Seconds until one more request is let through than now, at least 1 where none is."""

    def check(self) -> "Quota":
        """Return this. Raises `RateLimited` where the request is not let through."""
        if not self.allowed:
            raise RateLimited(retry_after_s=self.reset_s, limit=self.limit, window_s=self.window_s)
        return self

    @property
    def rate_limit(self) -> RateLimit:
        """What was counted against."""
        return RateLimit(requests=self.limit, window_s=self.window_s)


class RateLimiter(Protocol):
    """Lets at most so many requests of an org through in any window."""

    def hit(self, org_id: str, limit: RateLimit) -> Quota:
        """Count one request, unless that many were let through in the window.

        Raises `LimiterUnavailable` within 150 ms of a storage that does not answer. A limit that changes
        leaves what was counted.
        """
        ...

    def look(self, org_id: str, limit: RateLimit) -> Quota:
        """Ask whether one request would be let through now; nothing is counted. Raises as `hit` does."""
        ...
