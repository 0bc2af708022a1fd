"""Servers that fail: one that is not there, and one that takes a connection and never says a word."""

import contextlib
import socket
from collections.abc import Iterator

from tests.servers.ports import free_port

__all__ = ["nothing_there", "silent_server"]


@contextlib.contextmanager
def nothing_there() -> Iterator[int]:
    """Give a port that refuses every connection."""
    yield free_port()


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """Give a port whose connections succeed and are never answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]
