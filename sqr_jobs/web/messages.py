"""Requests and replies as plain data."""

import os
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from sqr_jobs.domain.caller import Caller

__all__ = ["HttpReply", "HttpRequest", "chunks"]

_PIECE = 262_144


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """What an endpoint needs of a request."""

    path: str
    """The path as asked for, decoded: the script root, the prefix and what is below it. Without a public URL,
    `Location`, links and a problem's `instance` begin as it does."""
    origin: str = ""
    """Scheme and host, without a final slash."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    query: Mapping[str, str] = field(default_factory=dict)
    """Decoded; empty where a field was given twice."""
    body: bytes | Callable[[], bytes | None] | None = b""
    """At most one byte more than the limit: an adapter stops reading there. None when the client hung up.

    A function reads it when it is needed: a request that is refused for its headers has its body left unread.
    """
    caller: Caller | None = None
    """The caller, where the host's own login found one; then no token is looked at."""


@dataclass(frozen=True, kw_only=True)
class HttpReply:
    """What an endpoint answers."""

    status: int
    headers: dict[str, str]
    body: bytes | BinaryIO
    """A file is open at its start, and sent whole: see `chunks`. Who takes the reply closes it."""


def chunks(file: BinaryIO) -> tuple[int, Generator[bytes, None, None]]:
    """Return an open file's size and its bytes in pieces, the same for every framework.

    The file is closed at their end, and by their `close`, which WSGI servers call.
    """

    def pieces() -> Generator[bytes, None, None]:
        with file:
            yield b""
            while piece := file.read(_PIECE):
                yield piece

    begun = pieces()
    next(begun)  # what was never begun would not be closed either
    return os.fstat(file.fileno()).st_size, begun
