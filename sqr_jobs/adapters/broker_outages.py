"""Says why Redis or RabbitMQ refused, and where it is, without what an address holds of secrets.

The reason is for logs too: it has no address, user, key or password. The address is for an operator.
"""

import re
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

__all__ = ["broker_address", "broker_reason"]

_CLUSTER = "the server runs in cluster mode, which is not supported"
_REASONS = {
    # Redis and limits, by the class that redis-py makes of the server's code.
    "AuthenticationError": "the password was rejected, or none was sent",
    "AuthenticationWrongNumberOfArgsError": "the user was rejected: this server has no named users",
    "OutOfMemoryError": "OOM: the memory is full, and maxmemory-policy is noeviction",
    "ReadOnlyError": "READONLY: the server is a replica",
    "BusyLoadingError": "LOADING: the server is loading its data",
    "MasterDownError": "MASTERDOWN: the server is a replica without its primary",
    "ClusterCrossSlotError": f"CROSSSLOT: {_CLUSTER}",
    "ClusterDownError": f"CLUSTERDOWN: {_CLUSTER}",
    "MovedError": f"MOVED: {_CLUSTER}",
    "AskError": f"ASK: {_CLUSTER}",
    # RabbitMQ, by pika's class.
    "ProbableAuthenticationError": "the user or the password was rejected",
    "ProbableAccessDeniedError": "the virtual host was refused",
    "ConnectionBlockedTimeout": "the server is short of memory or disk and takes no messages",
}
_CODES = {
    403: "ACCESS_REFUSED: a permission to configure, write or read is missing",
    406: "PRECONDITION_FAILED: a queue of that name has other properties",
    530: "NOT_ALLOWED: no such virtual host, or no access to it",
}
_COMMAND = re.compile(r"to run the '([a-z|]+)' command")
_UNKNOWN_COMMAND = re.compile(r"unknown command '?`?([A-Za-z]+)")
_DEPTH = 10
_PORTS = {"redis": 6379, "rediss": 6379, "amqp": 5672, "amqps": 5671}
_HOSTS = re.compile(r"[\w.,:\[\]-]*")


def broker_address(url: str) -> str:
    """Name host, port and database or virtual host of a URL, and nothing else of it."""
    unreadable = "an address that can't be read: write special characters of the password as %-escapes"
    try:
        parts = urlsplit(url)
    except ValueError:
        return unreadable
    hosts = parts.netloc.rpartition("@")[2]
    # A password with / ? or # in it ends the address early: what looks like host and port is a part of it.
    if not _HOSTS.fullmatch(hosts) or "@" in parts.path + parts.query + parts.fragment:
        return unreadable
    if hosts and ":" not in hosts.rpartition("]")[2] and parts.scheme in _PORTS:
        hosts += f":{_PORTS[parts.scheme]}"
    return f"{hosts}{parts.path}"


def broker_reason(error: BaseException) -> str:
    """Say why a client of the broker failed; the class of its exception where nothing else is known."""
    for seen in _with_causes(error):
        found = _reason(seen)
        if found is not None:
            return found
    return type(error).__name__


def _reason(error: BaseException) -> str | None:
    name = type(error).__name__
    if name in _REASONS:
        return _REASONS[name]
    if name == "NoPermissionError":
        command = _COMMAND.search(str(error))
        return f"NOPERM: the user's ACL refuses {f'the command {command[1]}' if command else 'a key'}"
    if name == "ResponseError" and (unknown := _UNKNOWN_COMMAND.search(str(error))):
        return f"the server has no command {unknown[1].upper()}: it is older than Redis 6.2"
    if name == "ResponseError" and "DB index is out of range" in str(error):
        return "the server has no database of that number"
    code = getattr(error, "reply_code", None)
    if isinstance(code, int) and code in _CODES:
        return _CODES[code]
    return _network_reason(error)


_NETWORK: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "unknown host"),
    (ConnectionRefusedError, "connection refused"),
    (ssl.SSLCertVerificationError, "TLS failed: the certificate was not verified"),
    (TimeoutError, "timed out"),
    (ssl.SSLError, "TLS failed"),
    (FileNotFoundError, "no such socket"),
    (ConnectionResetError, "the server closed the connection; does it demand TLS?"),
)


def _network_reason(error: BaseException) -> str | None:
    if type(error).__name__ == "TimeoutError":  # redis-py has its own
        return "timed out"
    if "closed by server" in str(error):
        return "the server closed the connection; does it demand TLS?"
    return next((reason for kind, reason in _NETWORK if isinstance(error, kind)), None)


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    """Go from what was raised to what it was raised for; pika keeps that in `args`."""
    waiting, seen = [error], 0
    while waiting and seen < _DEPTH:
        each, seen = waiting.pop(0), seen + 1
        yield each
        inner = (each.__cause__, each.__context__, getattr(each, "exception", None), *each.args)
        waiting += [other for other in inner if isinstance(other, BaseException)]
