"""What the bucket's store alone promises: a checksum for the server to compare, and no word of addresses."""

import base64
import hashlib
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sqr_jobs.adapters.s3_documents import S3DocumentStore
from sqr_jobs.errors import DocumentsUnavailable
from tests.contracts.document_stores import KEY, ORIGIN, produced
from tests.servers.dripping import DRIPS, dripping
from tests.servers.ports import free_port

SECRET = "a-secret-access-key"


def _for(seconds: float) -> Callable[[], float]:
    until = time.monotonic() + seconds
    return lambda: until - time.monotonic()


CALLS: dict[str, Callable[[S3DocumentStore], object]] = {
    "put": lambda store: store.put(KEY, produced(), until=_for(0.5)),
    "holds": lambda store: store.holds(KEY, size=1),
    "delete": lambda store: store.delete(KEY),
}


class _ComparingServer(BaseHTTPRequestHandler):
    """Takes an upload as Amazon does: only when its bytes have the SHA-256 that was sent with them."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        if self.headers["x-amz-checksum-sha256"] == digest:
            self.server.taken[self.path] = (body, self.headers["content-type"])
            self._reply(200, b"")
        else:
            self._reply(400, b"<Error><Code>BadDigest</Code><Message>No match.</Message></Error>")

    def log_message(self, *_args: object) -> None:
        pass

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def comparing_server() -> Iterator[ThreadingHTTPServer]:
    """Give a server that compares checksums."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _ComparingServer) as server:
        server.taken = {}
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _store_at(port: int, *, within_s: float = 10) -> S3DocumentStore:
    """Make a store that allows requests and deletions the same time."""
    return S3DocumentStore(
        "payroll",
        endpoint_url=f"http://127.0.0.1:{port}",
        access_key_id="AKID",
        secret_access_key=SECRET,
        request_s=within_s,
        within_s=within_s,
    )


def test_an_upload_carries_its_sha256_and_its_type(comparing_server: ThreadingHTTPServer) -> None:
    """I5: the server can compare, so a byte that changed on the way is noticed there."""
    store = _store_at(comparing_server.server_port)
    store.put(KEY, produced(), until=lambda: 10.0)
    ((path, (body, kind)),) = comparing_server.taken.items()
    assert (path, body, kind) == (f"/payroll/{KEY}", produced().file.read(), "application/pdf")
    store._connection.client.close()


def test_an_upload_whose_sha256_does_not_match_is_refused(comparing_server: ThreadingHTTPServer) -> None:
    """I5: the attempt fails and is made again; nothing is COMPLETE with other bytes than were made."""
    store = _store_at(comparing_server.server_port)
    with pytest.raises(DocumentsUnavailable, match="BadDigest") as caught:
        store.put(KEY, produced(sha256="0" * 64), until=lambda: 10.0)
    assert KEY not in str(caught.value)
    assert comparing_server.taken == {}
    store._connection.client.close()


@pytest.mark.parametrize("call", CALLS)
def test_a_bucket_out_of_reach_is_unavailable_in_words_that_tell_nothing_of_it(call: str) -> None:
    """I15: neither address, bucket, key nor secret may stand in a log."""
    port = free_port()
    store = _store_at(port)
    with pytest.raises(DocumentsUnavailable) as caught:
        CALLS[call](store)
    for private in (KEY, "payroll", "127.0.0.1", str(port), "AKID", SECRET, "http"):
        assert private not in str(caught.value)
    assert caught.value.__cause__ is None
    store._connection.client.close()


def test_a_url_is_made_while_the_bucket_is_out_of_reach() -> None:
    """Signing is arithmetic: no request of a client waits for the bucket there."""
    store = _store_at(free_port())
    url = store.url(KEY, filename="a.pdf", expires_s=300, origin=ORIGIN)
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url
    assert "X-Amz-Expires=300" in url
    assert "response-content-type=application%2Fpdf" in url  # whatever type the store keeps
    assert SECRET not in url
    store._connection.client.close()


def test_an_upload_to_a_server_that_refuses_is_unavailable(s3_bucket: object) -> None:
    """A wrong secret is an operator's matter: the job waits and is tried again."""
    store = S3DocumentStore(
        s3_bucket.bucket, endpoint_url=s3_bucket.endpoint_url, access_key_id="AKID", secret_access_key=SECRET
    )
    with pytest.raises(DocumentsUnavailable) as caught:
        store.put(KEY, produced(), until=lambda: 10.0)
    assert s3_bucket.bucket not in str(caught.value)
    with pytest.raises(DocumentsUnavailable):
        store.holds(KEY, size=1)
    store._connection.client.close()


def test_an_upload_that_stalls_ends_with_the_attempts_time() -> None:
    """I14: botocore knows no total timeout; a server that reads one byte a second would hold a worker."""
    with closing(socket.create_server(("127.0.0.1", 0))) as stalling:
        stalling.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        store = _store_at(stalling.getsockname()[1])
        started = time.monotonic()
        with pytest.raises(DocumentsUnavailable):
            store.put(KEY, produced(b"x" * 20_000_000), until=lambda: started + 1.0 - time.monotonic())
        assert time.monotonic() - started < 5
        store._connection.client.close()


def test_an_abandoned_upload_sends_nothing_of_the_next_document() -> None:
    """Its thread goes on while the next order, of another org, is written into the same file."""
    size = 20_000_000
    with closing(socket.create_server(("127.0.0.1", 0))) as stalling, tempfile.TemporaryFile() as file:
        file.write(b"x" * size)
        file.seek(0)
        store = _store_at(stalling.getsockname()[1])
        assert store._connection.client
        until = time.monotonic() + 1.0
        left_s = [lambda: until - time.monotonic()]
        with pytest.raises(DocumentsUnavailable, match="in time"):
            store.put(KEY, replace(produced(b"x" * size), file=file), until=lambda: left_s[0]())  # noqa: PLW0108 - it changes
        left_s[0] = lambda: 60.0
        file.seek(0)
        file.write(b"\0" * size)
        file.seek(0)
        with closing(stalling.accept()[0]) as connection:
            connection.settimeout(10)
            sent = b"".join(iter(lambda: connection.recv(1_048_576), b""))
        assert b"x" in sent
        assert b"\0" not in sent
        assert file.tell() == 0
        store._connection.client.close()


@pytest.mark.parametrize(
    ("call", "place"),
    [(call, place) for call in CALLS for place in DRIPS if call != "holds" or "body" not in place],
)
def test_a_store_that_drips_holds_nobody_past_the_time(call: str, place: str) -> None:
    """Each byte begins a socket's timeout anew: it would hold a worker past its fence."""
    with dripping(DRIPS[place]) as (port, _):
        store = _store_at(port, within_s=0.5)
        assert store._connection.client  # its making is no part of the time
        began = time.monotonic()
        with pytest.raises(DocumentsUnavailable, match="in time"):
            CALLS[call](store)
        assert time.monotonic() - began < 3
        store._connection.client.close()


def test_a_store_that_tells_no_size_is_unavailable() -> None:
    """I5: nobody knows then whether the object is the one that was made."""
    with dripping(DRIPS["body without a length"]) as (port, _):
        store = _store_at(port)
        with pytest.raises(DocumentsUnavailable, match="size"):
            store.holds(KEY, size=1)
        store._connection.client.close()
