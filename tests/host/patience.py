"""Patience with Redis, where a test is not about its absence: a busy machine is no outage."""

import pytest

from sqr_jobs.adapters import dramatiq_queue, limits_limiter, quick_redis

__all__ = ["be_patient"]

_PATIENCE_S = 10.0


def be_patient(patch: pytest.MonkeyPatch) -> None:
    """Let a connection and each reply take 10 s instead of 100 ms before this process does without Redis."""
    patch.setitem(quick_redis.quick_redis.__kwdefaults__, "timeout_s", _PATIENCE_S)
    patch.setattr(dramatiq_queue, "_SLOW_S", _PATIENCE_S)
    patch.setattr(limits_limiter, "_SLOW_S", _PATIENCE_S)
