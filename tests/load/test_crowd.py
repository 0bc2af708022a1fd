"""The asking side keeps its schedule whatever is not answered, and counts from the scheduled moment."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.load.crowd import Crowd
from tests.load.visits import Orders

_ARRIVALS = 20
_APART_S = 0.02
_PATIENCE_S = 10


class _Site(ThreadingHTTPServer):
    """Answers the first request after all others."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked = 0
        self.others_left = threading.Semaphore(0)
        self.lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Site

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.asked += 1
            is_first = self.server.asked == 1
        if is_first:
            for _ in range(_ARRIVALS - 1):
                self.server.others_left.acquire(timeout=_PATIENCE_S)
        body = json.dumps({"code": "NO"}).encode()
        self.send_response(404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.server.others_left.release()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[_Site]:
    """Give a server that stalls."""
    with _Site() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_an_answer_that_is_late_delays_no_other_question(site: _Site) -> None:
    """A closed loop would wait for it here, and measure nothing while the service stands still."""
    crowd = Crowd(
        Orders(
            urls=[f"http://127.0.0.1:{site.server_address[1]}"],
            prefix="/x",
            people=[("token", f"U{number}") for number in range(_ARRIVALS)],
            moments=[number * _APART_S for number in range(_ARRIVALS)],
            starts_at=time.monotonic() + 0.5,
            linger_s=_PATIENCE_S,
        )
    )
    crowd.run()
    assert [seen.status for seen in crowd.seen] == [404] * _ARRIVALS
    assert max(seen.took_s for seen in crowd.seen) < _PATIENCE_S  # the first one did not wait in vain
