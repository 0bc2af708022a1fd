"""Bodies that come slowly or never: a refusal does not wait for them, and nobody else does."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest

from tests.acceptance.deployment import Deployment, Web
from tests.acceptance.fixtures import ClientOf
from tests.host.reports import FACTORY
from tests.servers.ports import wait_until

_SLOW = 16
_THREADS = 8
_BODY = b'{"userId": "U1"}'

Connect = Callable[..., socket.socket]


@pytest.fixture(scope="module", params=["fastapi", "flask"])
def web(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """Give a web server of each framework; gunicorn has one process with eight threads."""
    folder = tmp_path_factory.mktemp(request.param)
    with Deployment.embedded(folder, factory=FACTORY, render="inline") as deployment:
        deployment.migrate()
        if request.param == "fastapi":
            yield deployment.fastapi()
        else:
            yield deployment.flask(workers=1, threads=_THREADS)


@pytest.fixture
def connect(web: Web) -> Iterator[Connect]:
    """Send a request's head, with a token that does not hold, and nothing of its body."""
    with ExitStack() as connections:

        def send(*, method: str = "POST", below: str = "", more: str = "") -> socket.socket:
            where = urlsplit(web.url)
            connection = socket.create_connection((where.hostname, where.port), timeout=10)
            connections.enter_context(connection)
            connection.sendall(_head(method, below, more))
            return connection

        yield send


def _head(method: str = "POST", below: str = "", more: str = "") -> bytes:
    return (
        f"{method} /v1/document/api{below} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer nonsense\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(_BODY)}\r\n{more}\r\n"
    ).encode()


@contextmanager
def _answers_within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


@pytest.mark.parametrize(("method", "below"), [("POST", ""), ("GET", "/x")], ids=["create", "status"])
def test_slow_bodies_with_a_bad_token_stop_nobody(
    web: Web, connect: Connect, client_of: ClientOf, method: str, below: str
) -> None:
    """Anyone can send a head and no body: sixteen of them must not take eight threads from the rest."""
    slow = [connect(method=method, below=below) for _ in range(_SLOW)]
    with _answers_within(4):
        assert client_of(web).look("x").status_code == 404
    for connection in slow:
        assert connection.recv(12) == b"HTTP/1.1 401"


def test_a_refusal_comes_before_the_body(connect: Connect) -> None:
    """The contract's first check needs nothing of the body, and reads nothing of it."""
    connection = connect(more="Expect: 100-continue\r\n")
    answer = connection.recv(4096)
    if answer.startswith(b"HTTP/1.1 100"):  # gunicorn invites every body before it calls the application
        answer = answer.partition(b"\r\n\r\n")[2] or connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 401")


def test_a_refused_body_that_comes_leaves_the_connection_open(connect: Connect) -> None:
    """An honest client whose token has just expired sends again on the same connection."""
    connection = connect()
    connection.sendall(_BODY)
    received = bytearray()

    def answers(number: int) -> bool:
        received.extend(connection.recv(4096))
        return received.count(b"HTTP/1.1 401") == number and received.endswith(b"}" * number)

    wait_until(lambda: answers(1), seconds=5, what="the first answer")
    received.clear()
    connection.sendall(_head() + _BODY)
    wait_until(lambda: answers(1), seconds=5, what="the second answer")
