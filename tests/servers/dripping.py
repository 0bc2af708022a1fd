"""A server that answers, and never comes to an end: a byte now and then."""

import contextlib
import socket
import threading
from collections.abc import Iterator

__all__ = ["DRIPS", "HEAD", "dripping"]

HEAD = b"HTTP/1.1 200 OK\r\n"
DRIPS = {
    "status": b"",
    "headers": HEAD,
    "one header": HEAD + b"x-more: ",
    "body": HEAD + b"content-length: 1000000\r\n\r\n",
    "body without a length": HEAD + b"\r\n",
}
"""What it sends at once, by where it begins to drip."""


@contextlib.contextmanager
def dripping(at_once: bytes) -> Iterator[tuple[int, threading.Event]]:
    """Serve a beginning at once and then a byte at a time: the port, and whether the client has hung up."""
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
        yield server.getsockname()[1], hung_up
        over.set()
        thread.join(timeout=10)
