"""The limit on how fast an org may ask."""

from dataclasses import dataclass
from typing import Protocol

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


class RateLimiter(Protocol):
    """Lets at most so many requests of an org through in any window."""

    def hit(self, org_id: str) -> Quota:
        """Count one request. Raises `LimiterUnavailable` within 150 ms of a storage that does not answer."""
        ...
