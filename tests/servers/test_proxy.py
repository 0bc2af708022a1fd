"""The proxy does to a connection what it says, and nothing to the others."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.servers.ports import wait_until
from tests.servers.proxy import Proxy, Strike

Connect = Callable[[], "_Line"]


class _Echo:
    """Answers each piece with the same in upper case, and remembers what arrived.

    While `may_answer` is not set, its replies wait.
    """

    def __init__(self) -> None:
        self.arrived: list[bytes] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
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
                self.may_answer.wait()
                client.sendall(piece.upper())


@pytest.fixture
def echo() -> Iterator[_Echo]:
    """Give a server to hide behind the proxy."""
    made = _Echo()
    yield made
    made.may_answer.set()
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
        try:
            self._socket.sendall(text)
        except OSError:
            return b""
        return self.hear(seconds=seconds)

    def hear(self, *, seconds: float = 5) -> bytes | None:
        """Return what comes: nothing for a reset, None for silence."""
        self._socket.settimeout(seconds)
        try:
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


def test_a_delay_holds_replies_back_and_no_request(proxy: Proxy, echo: _Echo, connect: Connect) -> None:
    """A slow server: it has acted long before its client hears of it."""
    line = connect()
    assert line.say(b"a") == b"A"
    assert proxy.held_back == 0
    # Given a delay, the reply comes after it
    proxy.delay_s = 0.2
    began = time.monotonic()
    assert line.say(b"b") == b"B"
    assert time.monotonic() - began >= 0.2
    assert proxy.held_back == 1
    # Healed, it comes at once
    proxy.heal()
    assert line.say(b"c") == b"C"
    assert proxy.held_back == 1
    # And with one that outlasts the test, the server has the request all the same
    proxy.delay_s = 60
    assert line.say(b"d", seconds=0.1) is None
    wait_until(lambda: proxy.held_back == 2, seconds=5, what="the reply at the proxy")
    assert echo.arrived == [b"a", b"b", b"c", b"d"]


def test_silence_swallows_both_ways_and_closes_nothing(proxy: Proxy, echo: _Echo, connect: Connect) -> None:
    """A black hole: old connections stay and new ones are taken, so that nothing but a timeout can tell."""
    # Given a request whose reply is under way
    old = connect()
    echo.may_answer.clear()
    assert old.say(b"a", seconds=0.05) is None
    wait_until(lambda: echo.arrived == [b"a"], seconds=5, what="the request")
    # When all falls silent, the reply is swallowed, and every request after it
    proxy.silence()
    echo.may_answer.set()
    wait_until(lambda: proxy.held_back == 1, seconds=5, what="the reply at the proxy")
    new = connect()
    assert (old.say(b"b", seconds=0.1), new.say(b"c", seconds=0.1)) == (None, None)
    wait_until(lambda: proxy.held_back == 3, seconds=5, what="both requests at the proxy")
    assert echo.arrived == [b"a"]
    # Then healing resets them, because what was swallowed is lost, and the next one works
    proxy.heal()
    assert (old.hear(), new.hear()) == (b"", b"")
    assert connect().say(b"d") == b"D"
    assert echo.arrived == [b"a", b"d"]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_nth_reply_is_dropped_and_its_connection_with_it(
    proxy: Proxy, echo: _Echo, connect: Connect, number: int
) -> None:
    """Counted over all connections, from the order on; those before it, after it and beside it arrive."""
    line, other = connect(), connect()
    assert line.say(b"a") == b"A"
    proxy.drop_reply(number)
    for _ in range(number - 1):
        assert other.say(b"b") == b"B"
    assert not proxy.dropped.is_set()
    assert line.say(b"c") == b""
    assert proxy.dropped.is_set()
    assert echo.arrived == [b"a", *[b"b"] * (number - 1), b"c"]
    assert other.say(b"d") == b"D"
    assert connect().say(b"e") == b"E"


def test_a_reply_that_was_to_be_dropped_arrives_once_all_is_healed(proxy: Proxy, connect: Connect) -> None:
    """Else a test's fault would strike in the next one's time."""
    line = connect()
    proxy.drop_reply()
    proxy.heal()
    assert line.say(b"a") == b"A"
    assert not proxy.dropped.is_set()
