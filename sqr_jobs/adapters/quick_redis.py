"""A Redis client that never waits long: an answer soon, or none."""

import functools
import threading
from typing import Any

import redis

from sqr_jobs.adapters.redis_connections import connect_to

__all__ = ["quick_redis"]

_TIMEOUT_S = 0.1


def quick_redis(
    url: str, *, timeout_s: float = _TIMEOUT_S, setting: str = "SQR_JOBS_BROKER_URL"
) -> redis.Redis:
    """Make a client that waits so many seconds at most for a connection and for each reply.

    The time for a connection includes the look-up of its host name, which no socket's timeout bounds.
    `setting` names the variable that holds the address. Raises `ConfigurationError`.
    """
    return connect_to(
        url,
        setting=setting,
        timeout_s=timeout_s,
        connect_timeout_s=timeout_s,
        connection_class=lambda connection_class: _bounded(connection_class, timeout_s),
    )


@functools.cache
def _bounded(connection_class: Any, timeout_s: float) -> Any:
    """Derive from a connection (by TCP, TLS or a Unix socket) one whose `connect` returns in time."""

    class BoundedConnection(connection_class):  # type: ignore[misc]  # whichever class the URL asks for
        is_open = False
        attempt: threading.Thread | None = None
        failure: Exception | None = None

        def connect(self) -> None:
            """Connect in a thread that may be left behind.

            The pool gives this same connection again; until that thread has ended, it is refused at once, so
            that an outage leaves no more threads than there are connections.
            """
            if self.is_open:
                return super().connect()  # type: ignore[no-any-return]  # finds nothing to do
            if self.attempt is not None and self.attempt.is_alive():
                raise redis.TimeoutError("an earlier attempt still waits")
            self.failure = None
            self.attempt = threading.Thread(target=self._try, name="sqr-jobs-redis-connect", daemon=True)
            try:
                self.attempt.start()
            except RuntimeError:  # this process may have no more threads
                self.attempt = None
                raise redis.ConnectionError("no thread to connect in") from None
            self.attempt.join(timeout_s)
            if self.attempt.is_alive():
                raise redis.TimeoutError("no connection in time")
            self.attempt = None
            if self.failure is not None:
                raise self.failure
            return None

        def disconnect(self, *args: Any, **kwargs: Any) -> None:
            self.is_open = False
            super().disconnect(*args, **kwargs)

        def _try(self) -> None:
            try:
                super().connect()
                self.is_open = True
            except Exception as error:  # noqa: BLE001 - handed over to the thread that asked
                self.failure = error

    return BoundedConnection
