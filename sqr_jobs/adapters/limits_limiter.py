"""The rate limiter on `limits`: a moving window, the only strategy without an edge."""

import logging
import math
import time
from collections.abc import Callable
from typing import Any

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.errors import StorageError
from limits.storage import MemoryStorage, MovingWindowSupport, Storage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from sqr_jobs.adapters.broker_outages import broker_reason
from sqr_jobs.adapters.circuit_breaker import CircuitBreaker
from sqr_jobs.domain.rate_limit import RateLimit
from sqr_jobs.errors import ConfigurationError, LimiterUnavailable, Unavailable
from sqr_jobs.logs import Outage
from sqr_jobs.ports import Quota, RateLimiter

__all__ = ["LimitsRateLimiter", "ShelteredRateLimiter", "limiter_for", "shared_limiter_for"]

_logger = logging.getLogger("sqr_jobs.limiter")

_SLOW_S = 0.1
_BREAKER_S = 5.0


# All keys in Redis begin with `sqr_jobs:`. The strategy is part of them: another one would find a key of the
# wrong type there.
_PREFIX, _WINDOWS = "sqr_jobs", "moving"


def _unshared() -> str:
    return "unshared"


class _OrgWindow(RateLimitItemPerSecond):
    """A limit whose numbers are no part of its key: a quota that is raised must not start from nothing."""

    def key_for(self, *identifiers: bytes | str | float) -> str:
        return "/".join([self.namespace, *map(str, identifiers)])


class LimitsRateLimiter:
    """`RateLimiter` over one storage of `limits`. Entries are stamped by this process's clock.

    `identity` is the name of the service that counts here, with that of its database, and is asked at each
    hit. It may raise `Unavailable`.
    """

    def __init__(self, storage: Storage, *, identity: Callable[[], str] = _unshared) -> None:
        if not isinstance(storage, MovingWindowSupport):
            raise ConfigurationError(
                "SQR_JOBS_LIMITER_URL names a storage without moving windows. Set redis://… or memory://."
            )
        self._limiter = MovingWindowRateLimiter(storage)
        self._identity = identity

    def hit(self, org_id: str, limit: RateLimit) -> Quota:
        """Count one request, unless the window is full."""
        return self._ask(self._limiter.hit, org_id, limit)

    def look(self, org_id: str, limit: RateLimit) -> Quota:
        """Ask whether one request would be let through; nothing is counted."""
        return self._ask(self._limiter.test, org_id, limit)

    def _ask(self, ask: Callable[[RateLimitItem, str], bool], org_id: str, limit: RateLimit) -> Quota:
        try:
            windows = f"{_WINDOWS}:{self._identity()}"
            item = _OrgWindow(limit.requests, limit.window_s, namespace=windows)
            allowed = ask(item, org_id)
            window = self._limiter.get_window_stats(item, org_id)
        except StorageError as error:
            raise LimiterUnavailable(broker_reason(error.storage_error)) from None
        except Unavailable as error:
            raise LimiterUnavailable(str(error)) from None
        except RuntimeError:  # the one in memory tidies itself in a thread
            raise LimiterUnavailable("this process can start no more threads") from None
        reset_s = math.ceil(window.reset_time - time.time())
        return Quota(
            allowed=allowed,
            limit=limit.requests,
            window_s=limit.window_s,
            remaining=max(window.remaining, 0) if allowed else 0,
            reset_s=min(max(reset_s, 1), limit.window_s),
        )


class ShelteredRateLimiter:
    """Falls back to a window in this process's memory while the shared one is out of reach.

    One failure, or one answer after more than 100 ms, opens a breaker for 5 s, so that a storage that
    swallows packets or crawls costs one request its time, not every request. The database's ceiling holds
    the promise meanwhile.
    """

    def __init__(
        self, shared: RateLimiter, fallback: RateLimiter, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._shared = shared
        self._fallback = fallback
        self._now = now
        self._breaker = CircuitBreaker(_BREAKER_S, now=self._present)
        self._outage = Outage(now)

    @property
    def is_sheltering(self) -> bool:
        """Whether the shared storage failed a moment ago."""
        return self._breaker.is_open

    def _present(self) -> float:
        return self._now()

    def hit(self, org_id: str, limit: RateLimit) -> Quota:
        """Count one request where it can be counted; never raises."""
        return self._ask(lambda limiter: limiter.hit(org_id, limit), limit)

    def look(self, org_id: str, limit: RateLimit) -> Quota:
        """Ask whether one request would be let through, where it would be counted; never raises."""
        return self._ask(lambda limiter: limiter.look(org_id, limit), limit)

    def _ask(self, ask: Callable[[RateLimiter], Quota], limit: RateLimit) -> Quota:
        if not self._breaker.admits():
            return self._ask_here(ask, limit)
        began = self._now()
        try:
            quota = ask(self._shared)
        except LimiterUnavailable as error:
            self._shelter(str(error))
            return self._ask_here(ask, limit)
        if self._now() - began > _SLOW_S:
            self._shelter("too slow")
            return quota
        self._breaker.reset()
        if (lasted_s := self._outage.over()) is not None:
            _logger.info("the rate limiter answers again, after %.0f s", lasted_s)
        return quota

    def _ask_here(self, ask: Callable[[RateLimiter], Quota], limit: RateLimit) -> Quota:
        try:
            return ask(self._fallback)
        except LimiterUnavailable:  # let through uncounted, as the first of a window
            return Quota(
                allowed=True,
                limit=limit.requests,
                window_s=limit.window_s,
                remaining=limit.requests - 1,
                reset_s=limit.window_s,
            )

    def _shelter(self, why: str) -> None:
        self._breaker.trip()
        if self._outage.is_news(why):
            _logger.warning("the rate limiter is out of reach, counting in memory: %s", why)


def limiter_for(
    url: str, *, identity: Callable[[], str] = _unshared, setting: str = "SQR_JOBS_LIMITER_URL"
) -> RateLimiter:
    """Make the limiter for `memory://` or a Redis URL, which `setting` names. Raises `ConfigurationError`."""
    in_memory = LimitsRateLimiter(MemoryStorage())
    if url.startswith("memory://"):
        return in_memory
    return ShelteredRateLimiter(shared_limiter_for(url, identity=identity, setting=setting), in_memory)


def shared_limiter_for(
    url: str,
    *,
    identity: Callable[[], str] = _unshared,
    setting: str = "SQR_JOBS_LIMITER_URL",
    timeout_s: float | None = None,
) -> LimitsRateLimiter:
    """Make the limiter for a Redis URL alone, which raises where Redis does not answer in time.

    `timeout_s` is by default what a request may wait. Raises `ConfigurationError`.
    """
    bounds = {} if timeout_s is None else {"timeout_s": timeout_s}
    try:
        from sqr_jobs.adapters.quick_redis import quick_redis  # noqa: PLC0415 - only the distributed form

        pool = quick_redis(url, setting=setting, **bounds).connection_pool
        options: dict[str, Any] = {"connection_pool": pool, "key_prefix": _PREFIX}
        storage: Any = storage_from_string(url, wrap_exceptions=True, **options)
    except ModuleNotFoundError:
        raise ConfigurationError(
            "The Redis client is missing. Install it: pip install 'sqr-jobs[redis]'."
        ) from None
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001 - of any class that a client raises for a URL
        raise ConfigurationError(
            f"{setting} does not serve ({type(error).__name__}). Set redis://host:6379/0 or memory://."
        ) from None
    return LimitsRateLimiter(storage, identity=identity)
