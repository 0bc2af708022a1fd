"""The rate limiter on `limits`: a moving window, the only strategy without an edge."""

import logging
import math
import time
from collections.abc import Callable
from typing import Any

from limits import RateLimitItemPerSecond
from limits.errors import StorageError
from limits.storage import MemoryStorage, MovingWindowSupport, Storage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from sqr_jobs.errors import ConfigurationError, LimiterUnavailable
from sqr_jobs.ports import Quota, RateLimiter

__all__ = ["LimitsRateLimiter", "ShelteredRateLimiter", "limiter_for"]

_logger = logging.getLogger("sqr_jobs.limiter")

_TIMEOUT_S = 0.1
_BREAKER_S = 5.0


class LimitsRateLimiter:
    """`RateLimiter` over one storage of `limits`. Entries are stamped by this process's clock."""

    def __init__(self, storage: Storage, *, limit: int, window_s: int) -> None:
        if not isinstance(storage, MovingWindowSupport):
            raise ConfigurationError(
                "SQR_JOBS_LIMITER_URL names a storage without moving windows. Set redis://… or memory://."
            )
        self._limiter = MovingWindowRateLimiter(storage)
        # The strategy is part of the key: another one would find a key of the wrong type there.
        self._item = RateLimitItemPerSecond(limit, window_s, namespace="sqr_jobs:moving")
        self._limit, self._window_s = limit, window_s

    def hit(self, org_id: str) -> Quota:
        """Count one request, unless the window is full."""
        try:
            allowed = self._limiter.hit(self._item, org_id)
            window = self._limiter.get_window_stats(self._item, org_id)
        except StorageError as error:
            raise LimiterUnavailable(type(error.storage_error).__name__) from None
        reset_s = math.ceil(window.reset_time - time.time())
        return Quota(
            allowed=allowed,
            limit=self._limit,
            window_s=self._window_s,
            remaining=window.remaining if allowed else 0,
            reset_s=min(max(reset_s, 1), self._window_s),
        )


class ShelteredRateLimiter:
    """Falls back to a window in this process's memory while the shared one is out of reach.

    One failure opens a breaker for 5 s, so that a storage that swallows packets costs one request its
    timeout, not every request. The database's ceiling holds the promise meanwhile.
    """

    def __init__(
        self, shared: RateLimiter, fallback: RateLimiter, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._shared = shared
        self._fallback = fallback
        self._now = now
        self._closed_from = float("-inf")

    @property
    def is_sheltering(self) -> bool:
        """Whether the shared storage failed a moment ago."""
        return self._now() < self._closed_from

    def hit(self, org_id: str) -> Quota:
        """Count one request where it can be counted; never raises."""
        if not self.is_sheltering:
            try:
                return self._shared.hit(org_id)
            except LimiterUnavailable as error:
                self._closed_from = self._now() + _BREAKER_S
                _logger.warning("the rate limiter is out of reach, counting in memory: %s", error)
        return self._fallback.hit(org_id)


def limiter_for(url: str, *, limit: int, window_s: int) -> RateLimiter:
    """Make the limiter for `memory://` or a Redis URL. Raises `ConfigurationError`."""
    in_memory = LimitsRateLimiter(MemoryStorage(), limit=limit, window_s=window_s)
    if url.startswith("memory://"):
        return in_memory
    try:
        from redis.backoff import NoBackoff  # noqa: PLC0415 - only the distributed form has redis
        from redis.retry import Retry  # noqa: PLC0415

        options: dict[str, Any] = {
            "socket_timeout": _TIMEOUT_S,
            "socket_connect_timeout": _TIMEOUT_S,
            "retry": Retry(NoBackoff(), 0),
        }
        storage: Any = storage_from_string(url, wrap_exceptions=True, **options)
    except ModuleNotFoundError:
        raise ConfigurationError(
            "The Redis client is missing. Install it: pip install 'sqr-jobs[redis]'."
        ) from None
    except Exception as error:  # noqa: BLE001 - whatever a client raises for a URL
        raise ConfigurationError(
            f"SQR_JOBS_LIMITER_URL does not serve ({type(error).__name__}). Set redis://host:6379/0 or memory://."
        ) from None
    return ShelteredRateLimiter(LimitsRateLimiter(storage, limit=limit, window_s=window_s), in_memory)
