"""The process that asks, apart from those that measure: `python -m tests.load.crowd ORDERS OUTPUT`.

Each visitor posts, looks after 3 s, as `Retry-After` says, and every 3 s until the job has ended, and asks
for the URL. Visitors wait in a heap, not in threads: an answer that is late delays nobody else's question,
unless all threads wait, and that shows as lateness.
"""

import heapq
import http.client
import itertools
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.load.visits import Orders, Seen

__all__ = ["Crowd"]

_THREADS = 48
_LOOK_S = 3.0
_TIMEOUT_S = 20.0
_IDLE_S = 20.0
_COUNT_EVERY_S = 0.05
_COUNT = "SELECT count(*) FROM sqr_jobs_job WHERE active_slot = 1"
_ENDED = ("COMPLETE", "FAILED")


@dataclass(frozen=True, kw_only=True)
class _Step:
    """A visitor's next question."""

    kind: str
    url: str
    token: str
    user: str
    job_id: str = ""


class Crowd:
    """Visitors of one phase; `seen` tells what they saw."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._people = iter(orders.people)
        self._urls = itertools.cycle(orders.urls)
        self._due: list[tuple[float, int, _Step]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._visitors = 0
        self._posting = 0
        self._mine = threading.local()
        self._connections: list[http.client.HTTPConnection] = []
        self.seen: list[Seen] = []
        self.ran_out = False
        """Whether there were fewer people than a closed loop has asked for."""

    def run(self) -> None:
        """Ask until every visitor is done, or for so long after the last arrival."""
        try:
            self._run()
        finally:
            for connection in self._connections:
                connection.close()

    def _run(self) -> None:
        orders = self._orders
        for moment in orders.moments:
            self._arrive(orders.starts_at + moment)
        arrivals_end = orders.starts_at + max((*orders.moments, orders.closed_for_s))
        if orders.closed_for_s:
            threading.Thread(target=self._refill, args=(arrivals_end,), daemon=True).start()
        with ThreadPoolExecutor(max_workers=_THREADS) as pool:
            self._connect_all(pool)
            while True:
                with self._changed:
                    now = time.monotonic()
                    is_over = now > arrivals_end and not self._visitors
                    if is_over or now > arrivals_end + orders.linger_s:
                        return
                    if not self._due or self._due[0][0] > now:
                        until = self._due[0][0] - now if self._due else 0.1
                        self._changed.wait(min(until, 0.1))
                        continue
                    moment, _, step = heapq.heappop(self._due)
                pool.submit(self._ask, moment, step)

    def _connect_all(self, pool: ThreadPoolExecutor) -> None:
        """Open every connection before the first arrival, and ask one question on each.

        One that is opened later would look like a server's leak, and one on which nothing was asked yet keeps
        a thread of gunicorn waiting for its first question, up to 5 s, while others' arrive.
        """
        together = threading.Barrier(_THREADS)

        def connect() -> None:
            together.wait()  # each thread of the pool takes one
            for url in self._orders.urls:
                self._exchange(_Step(kind="look", url=url, token="", user="", job_id="x"))

        for future in [pool.submit(connect) for _ in range(_THREADS)]:
            future.result()

    def _arrive(self, moment: float) -> None:
        token, user = next(self._people)
        self._visitors += 1
        self._push(moment, _Step(kind="post", url=next(self._urls), token=token, user=user))

    def _push(self, moment: float, step: _Step) -> None:
        heapq.heappush(self._due, (moment, next(self._numbers), step))

    def _refill(self, until: float) -> None:
        """Keep so many jobs unfinished."""
        import psycopg

        with psycopg.connect(self._orders.database, autocommit=True) as connection:
            while (now := time.monotonic()) < until:
                counted = connection.execute(_COUNT).fetchone()
                assert counted is not None
                with self._changed:
                    for _ in range(self._orders.backlog - int(counted[0]) - self._posting):
                        self._posting += 1
                        try:
                            self._arrive(now)
                        except StopIteration:
                            self.ran_out = True
                            return
                    self._changed.notify()
                time.sleep(_COUNT_EVERY_S)

    def _ask(self, scheduled: float, step: _Step) -> None:
        began = time.monotonic()
        status, body = self._exchange(step)
        ended = time.monotonic()
        told = str(body.get("status", ""))
        self.seen.append(
            Seen(kind=step.kind, scheduled=scheduled, began=began, ended=ended, status=status, told=told)
        )
        following = self._following(step, status, body, ended)
        with self._changed:
            if step.kind == "post":
                self._posting -= 1
            if following is None:
                self._visitors -= 1
            else:
                self._push(*following)
            self._changed.notify()

    def _following(
        self, step: _Step, status: int, body: dict[str, Any], now: float
    ) -> tuple[float, _Step] | None:
        more = {"url": step.url, "token": step.token, "user": step.user}
        if step.kind == "post" and status == 202:
            return now + _LOOK_S, _Step(kind="look", job_id=str(body["jobId"]), **more)
        if step.kind == "look" and body.get("status") == "COMPLETE":
            return now, _Step(kind="url", job_id=step.job_id, **more)
        if step.kind == "look" and body.get("status") not in _ENDED:
            return now + _LOOK_S, _Step(kind="look", job_id=step.job_id, **more)
        return None

    def _exchange(self, step: _Step) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {step.token}"}
        path, body = self._orders.prefix, None
        if step.kind == "post":
            headers["Content-Type"] = "application/json"
            body = json.dumps({"userId": step.user}).encode()
        else:
            path += f"/{step.job_id}{'/url' if step.kind == 'url' else ''}"
        connection = self._connection(step.url)
        try:
            connection.request("GET" if body is None else "POST", path, body, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError):
            connection.close()
            return 0, {}

    def _connection(self, url: str) -> http.client.HTTPConnection:
        """Return this thread's own connection, kept open but for those that a server may have closed."""
        if not hasattr(self._mine, "connections"):
            self._mine.connections, self._mine.used = {}, {}
        if url not in self._mine.connections:
            parts = urlsplit(url)
            assert parts.hostname is not None
            made = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_TIMEOUT_S)
            self._mine.connections[url] = made
            self._connections.append(made)
        connection: http.client.HTTPConnection = self._mine.connections[url]
        now = time.monotonic()
        if now - self._mine.used.get(url, now) > _IDLE_S:
            connection.close()
        self._mine.used[url] = now
        return connection


def main() -> None:
    """Read the orders, ask, and write what was seen."""
    orders = Orders(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    crowd = Crowd(orders)
    crowd.run()
    lines = (json.dumps(asdict(seen)) for seen in crowd.seen)
    Path(sys.argv[2]).write_text("\n".join(lines) + "\n", encoding="utf-8")
    if crowd.ran_out:
        sys.exit("The closed loop ran out of people: give it more.")


if __name__ == "__main__":
    main()
