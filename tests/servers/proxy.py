"""A TCP proxy for tests: what lies between a service and its servers, and can fail."""

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self

__all__ = ["Proxy", "Strike"]

_CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: the close is a reset, as when a firewall or a crashed machine forgets."""


@dataclass(frozen=True, kw_only=True)
class Strike:
    """What is to happen to the n-th request that holds a text; with none of the two it never arrives.

    `after` is what the same connection must have sent before, since the last such request: a COMMIT does not
    say of what.
    """

    request: bytes
    after: bytes = b""
    number: int = 1
    lose_reply: int = 0
    """Let it arrive, and lose so-many-th piece of its reply."""
    answer: bytes = b""
    """Answer it in the server's place."""


class Proxy:
    """Passes bytes on to a server, until told otherwise.

    `delay_s` holds each piece of a reply back; `silence` swallows all bytes both ways and keeps every
    connection open, as a black hole does; `drop_reply` loses one reply and its connection, after the server
    has acted; `strike` does so to a request that it knows by its bytes; `forget` swallows what the
    connections of before send, while new ones work: half open, as after a firewall's restart.
    """

    def __init__(self, target_port: int, *, target_host: str = "127.0.0.1") -> None:
        self._target = (target_host, target_port)
        self._server = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._server.getsockname()[1]
        self.delay_s = 0.0
        self.dropped = threading.Event()
        self.held_back = 0
        """How many pieces it has delayed or swallowed so far."""
        self._is_silent = False
        self._replies_until_drop: int | None = None
        self._strike: Strike | None = None
        self._strikes_left = 0
        self._forgotten: set[socket.socket] = set()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()

    def silence(self) -> None:
        """Swallow every byte from now on; connections are taken and stay."""
        self._is_silent = True

    def heal(self) -> None:
        """Pass bytes on at once again; what was swallowed is lost, so connections of before are reset."""
        was_silent, self._is_silent = self._is_silent or bool(self._forgotten), False
        self.delay_s = 0.0
        self._replies_until_drop = None
        self._strike = None
        if was_silent:
            self.cut()

    def cut(self) -> None:
        """Reset every connection."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
            self._forgotten.clear()
        for pair in pairs:
            for end in pair:
                _reset(end)

    def lead_to(self, target_port: int) -> None:
        """Pass new connections to another server, as after a change of DNS; those of now stay."""
        self._target = (self._target[0], target_port)

    def drop_reply(self, number: int = 1) -> None:
        """Lose the n-th reply from now on, and reset its connection; `dropped` is set when it happened."""
        self.dropped.clear()
        self._replies_until_drop = number

    def strike(self, what: Strike) -> None:
        """Do this to one request from now on; `dropped` is set when it happened."""
        self.dropped.clear()
        with self._lock:
            self._strike, self._strikes_left = what, what.number

    def forget(self) -> None:
        """Swallow what every connection of now sends, either way; new ones work."""
        with self._lock:
            self._forgotten.update(end for pair in self._pairs for end in pair)

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target, timeout=5)
            except OSError:
                _reset(client)
                continue
            server.settimeout(None)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._pairs.append((client, server))
            doomed = _Doomed()
            for source, sink, is_reply in ((client, server, False), (server, client, True)):
                threading.Thread(
                    target=self._pump, args=(source, sink, is_reply, doomed), daemon=True
                ).start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_reply: bool, doomed: "_Doomed") -> None:
        try:
            while piece := source.recv(_CHUNK):
                if is_reply and (self._is_to_drop() or doomed.is_reply_due()):
                    self.dropped.set()
                    _reset(sink)
                    break
                if not is_reply and self._is_struck(piece, source, doomed):
                    break
                is_swallowed = self._is_silent or source in self._forgotten
                self.held_back += bool(is_swallowed or (is_reply and self.delay_s))
                if is_reply and self.delay_s:
                    self._ended.wait(self.delay_s)
                if not (self._is_silent or source in self._forgotten):
                    sink.sendall(piece)
        except OSError:
            pass
        if not (self._is_silent or source in self._forgotten):
            for end in (source, sink):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _is_struck(self, piece: bytes, client: socket.socket, doomed: "_Doomed") -> bool:
        """Carry out what is ordered for this request; true when it must not arrive."""
        with self._lock:
            what = self._strike
            if what is None:
                return False
            doomed.has_sent = doomed.has_sent or what.after in piece
            if not (doomed.has_sent and what.request in piece):
                return False
            doomed.has_sent = False
            self._strikes_left -= 1
            if self._strikes_left > 0:
                return False
            self._strike = None
        if what.lose_reply:
            doomed.replies_left = what.lose_reply
            return False
        self.dropped.set()
        if what.answer:
            client.sendall(what.answer)
        else:
            _reset(client)
        return True

    def _is_to_drop(self) -> bool:
        with self._lock:
            if self._replies_until_drop is None:
                return False
            self._replies_until_drop -= 1
            if self._replies_until_drop > 0:
                return False
            self._replies_until_drop = None
            return True


class _Doomed:
    """What one connection has coming."""

    def __init__(self) -> None:
        self.has_sent = False
        self.replies_left = 0

    def is_reply_due(self) -> bool:
        if not self.replies_left:
            return False
        self.replies_left -= 1
        return self.replies_left == 0


def _reset(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RD)
    end.close()
