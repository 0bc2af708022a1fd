"""Connections to Redis: bounds that no address can lift, and an end to sessions that the server refuses."""

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.exceptions import NoScriptError, ResponseError
from redis.retry import Retry

from sqr_jobs.errors import ConfigurationError

__all__ = ["connect_to"]

_CHANGES_REPLIES = ("decode_responses", "encoding", "encoding_errors")


def connect_to(
    url: str,
    *,
    setting: str,
    timeout_s: float,
    connect_timeout_s: float,
    connection_class: Callable[[Any], Any] | None = None,
) -> redis.Redis:
    """Make a client whose waits are bounded in seconds, and which repeats nothing.

    Query parameters of the address that set the same bounds have no effect. `setting` names the variable
    that holds the address; `connection_class` derives the class of the connections from the usual one.
    Raises `ConfigurationError` for an address that can't serve. Nothing connects yet.
    """
    try:
        names = parse_qs(urlsplit(url).query, keep_blank_values=True)
        pool = _pool(url, timeout_s, connect_timeout_s, connection_class)
    except Exception:  # noqa: BLE001 - of any class, and its message may show the password
        raise ConfigurationError(
            f"{setting} is not an address of Redis. Set it to redis://user:password@host:6379/0, with "
            "%-escapes for special characters, and with no option that the Redis client does not know."
        ) from None
    if found := [name for name in _CHANGES_REPLIES if name in names]:
        raise ConfigurationError(
            f"{setting} sets {' and '.join(found)}, which changes how replies are read. Remove that from it."
        )
    return redis.Redis(connection_pool=pool)


def _pool(
    url: str, timeout_s: float, connect_timeout_s: float, derive: Callable[[Any], Any] | None
) -> "_Pool":
    options: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]
    options.pop("max_connections", None)  # it would refuse a command, where the host has more threads
    options |= {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": connect_timeout_s,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_timeout": False,
        "retry_on_error": [],
        "health_check_interval": 0,
        "protocol": 2,
    }
    session = _session(options.get("connection_class", redis.Connection))
    options["connection_class"] = derive(session) if derive else session
    pool = _Pool(**options)
    pool.make_connection()  # refuses an option that no connection knows, and opens none
    return pool


@functools.cache
def _session(connection_class: Any) -> Any:
    """Derive a connection that remembers whether the server refused a command in it."""

    class Session(connection_class):  # type: ignore[misc]  # the class that the URL asks for
        is_refused = False

        def read_response(self, *args: Any, **kwargs: Any) -> Any:
            try:
                return super().read_response(*args, **kwargs)
            except NoScriptError:  # the client loads the script and asks again
                raise
            except ResponseError:
                self.is_refused = True
                raise

    return Session


class _Pool(redis.ConnectionPool):
    """Closes its idle connections when the server has refused a command in one of them.

    A demoted primary keeps its clients and answers READONLY for as long as they stay. Only a new connection
    finds the new primary behind the same address. There are more such answers (UNBLOCKED, MASTERDOWN, MOVED,
    NOREPLICAS), and servers add new ones. So each refusal costs one reconnection.
    """

    def get_connection(self, *args: Any, **kwargs: Any) -> Any:
        connection: Any = super().get_connection(*args, **kwargs)
        connection.is_refused = False  # an older server refuses parts of the handshake
        return connection

    def release(self, connection: Any) -> None:
        is_refused = connection.is_refused
        if is_refused:
            connection.disconnect()
        super().release(connection)
        if is_refused:
            self.disconnect(inuse_connections=False)
