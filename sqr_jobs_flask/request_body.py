"""The body of a request: read when it is asked for, else the server is kept from waiting for it."""

import contextlib
import socket
import ssl
import threading
from typing import Any

from flask import Response, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

__all__ = ["RequestBody"]

_GRACE_S = 0.5


class RequestBody:
    """Reads the body of the present request, at most one byte past the limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._is_read = False

    def __call__(self) -> bytes | None:
        """Read it; None when the client hung up.

        A host that looked at the body first has read the stream to its end, and Werkzeug keeps what it read.
        """
        self._is_read = True
        body = bytearray()
        try:
            while len(body) <= self._limit and (chunk := request.stream.read(self._limit + 1 - len(body))):
                body += chunk
        except ClientDisconnected:
            return None
        except RequestEntityTooLarge:  # the host's own, lower limit
            return bytes(self._limit + 1)
        return bytes(body) or request.get_data()[: self._limit + 1]

    def leave(self, response: Response) -> Response:
        """Keep gunicorn from waiting for a body that was not read, once the answer is sent.

        It would wait up to 5 s in the request's thread and 2 s in the thread that accepts connections, so a
        few slow bodies would stop the service. Other servers, TLS and HTTP/2 are left alone: their
        connections are not ours to end.
        """
        connection = request.environ.get("gunicorn.socket")
        has_body = bool(request.content_length) or "Transfer-Encoding" in request.headers
        if (
            has_body
            and not self._is_read
            and isinstance(connection, socket.socket)
            and not isinstance(connection, ssl.SSLSocket)
            and request.environ.get("SERVER_PROTOCOL") in ("HTTP/1.0", "HTTP/1.1")
        ):
            source = request.environ["wsgi.input"]
            response.call_on_close(lambda: _drain(source, connection, limit=self._limit))
        return response


def _drain(source: Any, connection: socket.socket, *, limit: int) -> None:
    """Read a body that comes at once, so that its connection goes on; for any other, stop receiving."""

    def stop_receiving() -> None:
        with contextlib.suppress(OSError):  # the client has gone
            connection.shutdown(socket.SHUT_RD)

    timer = threading.Timer(_GRACE_S, stop_receiving)
    timer.start()
    try:
        if len(source.read(limit + 1)) > limit:
            stop_receiving()
    except Exception:  # noqa: BLE001 - the request is answered; its body is malformed or cut off
        stop_receiving()
    finally:
        timer.cancel()
