"""A circuit breaker: after a failure, calls to a server are refused for a while instead of made."""

import threading
import time
from collections.abc import Callable

__all__ = ["CircuitBreaker"]


class CircuitBreaker:
    """Closed at first; `trip` opens it for `open_s` seconds.

    After that time one caller is admitted as a probe. The others stay refused until its `reset`, or for
    another `open_s` seconds. With 0 it never refuses. Safe to use from any thread.
    """

    def __init__(self, open_s: float, *, now: Callable[[], float] = time.monotonic) -> None:
        self._open_s = open_s
        self._now = now
        self._lock = threading.Lock()
        self._probe_at: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls are refused now."""
        return self._probe_at is not None and self._now() < self._probe_at

    def admits(self) -> bool:
        """Say whether a call may be made; the call must end with `trip` or `reset`."""
        with self._lock:
            if self._probe_at is None:
                return True
            if self._now() < self._probe_at:
                return False
            self._probe_at = self._now() + self._open_s
            return True

    def trip(self) -> None:
        """Refuse all calls from now on, for `open_s` seconds."""
        with self._lock:
            self._probe_at = self._now() + self._open_s

    def reset(self) -> None:
        """Admit all calls: the server has answered."""
        with self._lock:
            self._probe_at = None
