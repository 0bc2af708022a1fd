"""A limiter, and the limit that a test holds its hits to."""

from dataclasses import dataclass

from sqr_jobs.domain.rate_limit import RateLimit
from sqr_jobs.ports import Quota, RateLimiter

__all__ = ["TWO", "WINDOW_S", "Window"]

WINDOW_S = 600
TWO = RateLimit(requests=2, window_s=WINDOW_S)


@dataclass(frozen=True)
class Window:
    """A limiter, and the limit that its hits are held to."""

    limiter: RateLimiter
    limit: RateLimit

    def hit(self, org: str) -> Quota:
        """Count one request."""
        return self.limiter.hit(org, self.limit)

    def of(self, requests: int) -> "Window":
        """Hold the next hits to another limit."""
        return Window(self.limiter, RateLimit(requests=requests, window_s=self.limit.window_s))
