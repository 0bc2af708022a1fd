"""Requests and replies as plain data."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqr_jobs.domain.caller import Caller

__all__ = ["HttpReply", "HttpRequest", "chunks"]

_PIECE = 262_144


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """What an endpoint needs of a request."""

    path: str
    """The path as asked for, decoded, with the mount's; it becomes a problem's `instance`."""
    origin: str = ""
    """Scheme and host, without a final slash."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    query: Mapping[str, str] = field(default_factory=dict)
    """Decoded; empty where a field was given twice."""
    body: bytes | None = b""
    """At most one byte more than the limit: an adapter stops reading there. None when the client hung up."""
    caller: Caller | None = None
    """The caller, where the host's own login found one; then no token is looked at."""


@dataclass(frozen=True, kw_only=True)
class HttpReply:
    """What an endpoint answers."""

    status: int
    headers: dict[str, str]
    body: bytes | Path
    """A path is sent as the file's bytes, whole: see `chunks`."""


def chunks(path: Path) -> tuple[int, Iterator[bytes]]:
    """Open a file and return its size and its bytes in pieces, the same for every framework."""
    file = path.open("rb")

    def pieces() -> Iterator[bytes]:
        with file:
            while piece := file.read(_PIECE):
                yield piece

    return os.fstat(file.fileno()).st_size, pieces()
