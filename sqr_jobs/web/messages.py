"""Requests and replies as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqr_jobs.domain.caller import Caller

__all__ = ["HttpReply", "HttpRequest"]


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """What an endpoint needs of a request."""

    path: str
    """The path as asked for, with the mount's; it becomes a problem's `instance`."""
    origin: str = ""
    """Scheme, host and whatever path stands before the prefix, without a final slash."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    """At most one byte more than the limit: an adapter stops reading there."""
    caller: Caller | None = None
    """The caller, where the host's own login found one; then no token is looked at."""


@dataclass(frozen=True, kw_only=True)
class HttpReply:
    """What an endpoint answers."""

    status: int
    headers: dict[str, str]
    body: bytes | Path
    """A path is sent as the file's bytes."""
