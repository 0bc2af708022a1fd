"""The proxy does to a connection what it says, and nothing to the others."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.servers.ports import wait_until
from tests.servers.proxy import Proxy, Strike

Connect = Callable[[], "_Line"]


class _Echo:
    """Answers each piece with the same in upper case, and remembers what arrived."""

    def __init__(self) -> None:
        self.arrived: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            while piece := client.recv(100):
                self.arrived.append(piece)
                client.sendall(piece.upper())


@pytest.fixture
def echo() -> Iterator[_Echo]:
    """Give a server to hide behind the proxy."""
    made = _Echo()
    yield made
    made.close()


@pytest.fixture
def proxy(echo: _Echo) -> Iterator[Proxy]:
    """Give a proxy before it."""
    with Proxy(echo.port) as made:
        yield made


@pytest.fixture
def connect(proxy: Proxy) -> Iterator[Connect]:
    """Make connections through the proxy, which are closed after the test."""
    with contextlib.ExitStack() as ends:

        def made() -> _Line:
            return ends.enter_context(contextlib.closing(_Line(proxy.port)))

        yield made


class _Line:
    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=5)

    def say(self, text: bytes, *, seconds: float = 5) -> bytes | None:
        """Send, and return what comes back: nothing for a reset, None for silence."""
        self._socket.settimeout(seconds)
        try:
            self._socket.sendall(text)
            return self._socket.recv(100)
        except TimeoutError:
            return None
        except OSError:
            return b""

    def close(self) -> None:
        self._socket.close()


def test_a_struck_request_never_arrives(proxy: Proxy, echo: _Echo, connect: Connect) -> None:
    """A connection that is cut in mid-request: the server has not acted."""
    struck, other = connect(), connect()
    assert struck.say(b"a commit") == b"A COMMIT"
    proxy.strike(Strike(request=b"commit", number=2))
    assert other.say(b"one commit") == b"ONE COMMIT"
    assert struck.say(b"two commit") == b""
    assert proxy.dropped.is_set()
    assert echo.arrived == [b"a commit", b"one commit"]
    assert other.say(b"three commit") == b"THREE COMMIT"


def test_a_lost_reply_is_one_to_a_request_that_arrived(proxy: Proxy, echo: _Echo, connect: Connect) -> None:
    """The server has acted, and the client can't know."""
    line = connect()
    proxy.strike(Strike(request=b"put", lose_reply=2))
    assert line.say(b"put") == b"PUT"
    assert line.say(b"body") == b""
    assert echo.arrived == [b"put", b"body"]


def test_a_request_is_known_by_what_came_before_it(proxy: Proxy, echo: _Echo, connect: Connect) -> None:
    """A COMMIT does not say of what; the same connection's statement before it does."""
    one, two = connect(), connect()
    proxy.strike(Strike(request=b"commit", after=b"insert"))
    assert two.say(b"select") == b"SELECT"
    assert one.say(b"insert") == b"INSERT"
    assert two.say(b"commit") == b"COMMIT"
    assert one.say(b"commit") == b""
    assert echo.arrived == [b"select", b"insert", b"commit"]


def test_a_request_can_be_answered_in_the_servers_place(proxy: Proxy, echo: _Echo, connect: Connect) -> None:
    """A store that says 503."""
    proxy.strike(Strike(request=b"get", answer=b"503"))
    assert connect().say(b"get") == b"503"
    assert echo.arrived == []
    assert connect().say(b"get") == b"GET"


def test_half_open_connections_stay_and_say_nothing(proxy: Proxy, echo: _Echo, connect: Connect) -> None:
    """A firewall that restarted knows nothing of them; it does let new ones through."""
    old = connect()
    assert old.say(b"a") == b"A"
    proxy.forget()
    assert old.say(b"b", seconds=0.1) is None
    assert connect().say(b"c") == b"C"
    assert echo.arrived == [b"a", b"c"]
    proxy.heal()
    wait_until(lambda: old.say(b"d") == b"", seconds=5, what="the reset of what was half open")
