"""An issuer that answers, and never comes to an end: one byte now and then."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from sqr_jobs.adapters.key_set_fetch import fetch_json
from sqr_jobs.adapters.signing_keys import JwksKeys
from sqr_jobs.errors import IdentityUnavailable
from tests.servers.ports import wait_until

_WITHIN_S = 0.5
_HEAD = b"HTTP/1.1 200 OK\r\n"


@contextlib.contextmanager
def _dripping(at_once: bytes) -> Iterator[tuple[str, threading.Event]]:
    """Serve a beginning at once and then a byte at a time; the event tells that the client has hung up."""
    hung_up, over = threading.Event(), threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(at_once)
            while not over.wait(0.05):
                try:
                    connection.sendall(b"x")
                except OSError:
                    hung_up.set()
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/keys", hung_up
        over.set()
        thread.join(timeout=10)


@pytest.mark.parametrize(
    "at_once",
    [b"", _HEAD, _HEAD + b"x-more: ", _HEAD + b"content-length: 1000000\r\n\r\n", _HEAD + b"\r\n"],
    ids=["status", "headers", "one header", "body", "body without a length"],
)
def test_an_issuer_that_drips_costs_the_time_of_a_fetch_and_no_more(at_once: bytes) -> None:
    """Each byte begins a socket's timeout anew; whoever waits for keys would wait for hours."""
    with _dripping(at_once) as (url, hung_up):
        keys = JwksKeys(fetch_json(url, within_s=_WITHIN_S))
        began = time.monotonic()
        with pytest.raises(IdentityUnavailable):
            keys.candidates("a", "RS256")
        assert time.monotonic() - began < _WITHIN_S + 2
        # And nothing goes on reading behind it
        wait_until(hung_up.is_set, seconds=10, what="the end of the connection")
