"""The fetch of an issuer's key set over HTTP, bounded in size and in time as a whole."""

import contextlib
import http.client
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from sqr_jobs.adapters.bounded import bounded

__all__ = ["AnswerTooLargeError", "fetch_json"]

_MAX_BYTES = 1_048_576
_SILENCE_S = 2.0
_TOTAL_S = 5.0


def fetch_json(url: str, *, within_s: float = _TOTAL_S) -> Callable[[], object]:
    """Make the fetch: 2 s of silence, 5 s in all and 1 MiB are the limits.

    A socket's timeout begins anew with each byte, so an issuer that sends one now and then, in its headers
    or its answer, would hold the request for hours: the connection is cut from outside. What nothing can
    cut, such as the look-up of a name, goes on in a thread that is left behind.
    """
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310 - from the settings

    def fetch() -> object:
        opened: list[socket.socket] = []
        opener = urllib.request.build_opener(_Http(opened), _Https(opened))
        until = time.monotonic() + within_s

        def read() -> bytes:
            try:
                with opener.open(request, timeout=_SILENCE_S) as answer:
                    return bytes(answer.read(_MAX_BYTES + 1))
            except urllib.error.HTTPError as error:
                error.close()
                raise

        try:
            body = bounded(read, left_s=lambda: until - time.monotonic(), name="sqr-jobs-key-set")
        finally:
            for connection in opened:
                with contextlib.suppress(OSError):  # it is closed already
                    connection.shutdown(socket.SHUT_RDWR)  # closing alone would leave a read that waits
        if len(body) > _MAX_BYTES:
            raise AnswerTooLargeError
        return json.loads(body)

    return fetch


class AnswerTooLargeError(ValueError):
    """The issuer's answer is larger than a key set can be."""


class _Http(urllib.request.HTTPHandler):
    """Notes each connection, of redirects too."""

    def __init__(self, opened: list[socket.socket]) -> None:
        super().__init__()
        self._kind = _noting(opened, http.client.HTTPConnection)

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._kind, req)


class _Https(urllib.request.HTTPSHandler):
    """Likewise, with TLS."""

    def __init__(self, opened: list[socket.socket]) -> None:
        super().__init__()
        self._kind = _noting(opened, http.client.HTTPSConnection)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._kind, req)


def _noting(opened: list[socket.socket], kind: Any) -> Any:
    class Noted(kind):  # type: ignore[misc]  # either of two classes
        def connect(self) -> None:
            super().connect()
            opened.append(self.sock)

    return Noted
