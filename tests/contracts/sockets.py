"""Servers that fail: one that is not there, one that never says a word, and a resolver that hangs."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers.ports import free_port

__all__ = ["HangingLookUp", "nothing_there", "silent_server"]


@contextlib.contextmanager
def nothing_there() -> Iterator[int]:
    """Give a port that refuses every connection."""
    yield free_port()


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """Give a port whose connections succeed and are never answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


class HangingLookUp:
    """Names are not looked up before `answer()`: no socket's timeout bounds the resolver."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.asked: list[threading.Thread] = []
        self._answered = threading.Event()
        self._look_up = socket.getaddrinfo
        patch.setattr(socket, "getaddrinfo", self._hang)

    def answer(self) -> None:
        """Let everybody who waits, and who comes, have an answer."""
        self._answered.set()

    def _hang(self, *arguments: Any, **options: Any) -> Any:
        self.asked.append(threading.current_thread())
        assert self._answered.wait(30)
        return self._look_up(*arguments, **options)
