"""Carries out one errand, as its client would, and has another org ask about its job."""

import contextlib
import http.client
import json
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from tests.acceptance.client import PREFIX
from tests.host.tokens import bearer
from tests.matrix.history import Exchange, History
from tests.matrix.travellers import FINAL, PAUSE_S, Traveller
from tests.servers.ports import wait_until
from tests.soak.plan import RIVAL, Errand, Manner

__all__ = ["Clients"]

_DROP_TIMEOUT_S = 6.0
_TOKEN_S = 7_200


class Clients:
    """Every client of a run; `differences` are answers to probes that told a job from no job."""

    def __init__(self, history: History, urls: Sequence[str], *, patience_s: float) -> None:
        self._history, self._urls, self._patience_s = history, urls, patience_s
        self._lock = threading.Lock()
        self._people: dict[str, threading.Lock] = {}
        self.differences: list[str] = []
        self.compared = 0
        """How many answers to probes were compared with those about an unknown job."""

    def carry_out(self, errand: Errand) -> None:
        """Carry one out; a person waits for the end of an earlier report of theirs."""
        with self._lock:
            person = self._people.setdefault(f"{errand.org} {errand.user}", threading.Lock())
        with person:
            self._carry_out(errand)

    def _carry_out(self, errand: Errand) -> None:
        known: list[str] = []

        def accepted(job_id: str) -> None:
            known.append(job_id)
            if errand.probes_early:
                self._probe(errand, job_id)
            if errand.manner is Manner.CANCEL:
                _pause(errand.cancels_after_s)
                self._traveller(errand).cancel(job_id)
            if errand.manner is Manner.RIVAL:
                self._traveller(errand, _Rival, key=f"{errand.key}{RIVAL}").travel()

        if errand.manner is Manner.DROPPED:
            self._drop(errand)
        twin = None
        if errand.manner is Manner.TWINS:
            twin = threading.Thread(target=self._traveller(errand, server=1).travel)
            twin.start()
        make = _Greedy if errand.manner is Manner.GREEDY else Traveller
        self._traveller(errand, make, accepted=accepted).travel()
        if twin is not None:
            twin.join()
        if known and not errand.probes_early:
            self._probe(errand, known[0])

    def _traveller(
        self, errand: Errand, make: type[Traveller] = Traveller, *, server: int = 0, **more: Any
    ) -> Traveller:
        return make(
            self._history,
            self._urls,
            errand.org,
            errand.user,
            patience_s=self._patience_s,
            first=errand.first_server + server,
            **{"key": errand.key, **more},
        )

    def _probe(self, errand: Errand, job_id: str) -> None:
        """Ask about a job as another org, and about one that nobody has: the answers must be the same."""
        probers = [  # for a server that is away, the other
            _Prober(self._history, self._urls, errand.prober, errand.user, patience_s=0, first=first)
            for first in (errand.first_server, errand.first_server + 1)
        ]
        for what in ("", "/url"):
            told = (prober.differs(job_id, what) for prober in probers)
            compared = next((difference for difference in told if difference is not None), None)
            if compared is None:
                continue
            with self._lock:
                self.compared += 1
                self.differences += [f"I10: {compared}"] if compared else []

    def _drop(self, errand: Errand) -> None:
        """Send the POST, and go without its answer."""
        parts = urlsplit(self._urls[errand.first_server % len(self._urls)])
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=_DROP_TIMEOUT_S)
        headers = {
            **bearer(errand.org, expires_s=_TOKEN_S),
            "Idempotency-Key": f'"{errand.key}"',
            "Content-Type": "application/json",
        }
        asked = time.monotonic()
        with contextlib.suppress(OSError):
            connection.request("POST", PREFIX, json.dumps({"userId": errand.user}).encode(), headers)
        connection.close()
        self._history.add(
            Exchange(kind="dropped", org=errand.org, user=errand.user, asked=asked, answered=None)
        )


class _Asker(Traveller):
    """Is content with one more answer to a POST than others."""

    content_with: int

    def _create(self) -> Any:
        final = (*FINAL, self.content_with)
        replies: list[Any] = []

        def is_about_the_job() -> bool:
            reply = self._insist("create", "POST", PREFIX, {"userId": self._user}, key=self._key, final=final)
            replies.append(reply)
            return reply.json.get("code") != "IDEMPOTENCY_KEY_IN_USE"

        wait_until(is_about_the_job, seconds=self._left(), what="an answer of its own", every_s=PAUSE_S)
        return replies[-1]


class _Rival(_Asker):
    """Asks for a second report on a person, and is content with hearing that there is one under way."""

    content_with = 409


class _Greedy(_Asker):
    """Asks for more than its org may have, and is content with hearing so."""

    content_with = 429


class _Prober(Traveller):
    """A client of another org."""

    def differs(self, job_id: str, what: str) -> str | None:
        """Name what differs, "" for nothing; None when a server did not answer for itself."""
        unknown = str(uuid.uuid4())
        seen = []
        for kind, asked_for in (("probe", job_id), ("unknown", unknown)):
            path = f"{PREFIX}/{asked_for}{what}"
            # Both of one server: each framework has headers of its own.
            reply = self._exchange(kind, "GET", f"{self._server}{path}", job_id=asked_for)
            if reply is None or reply.status >= 500:
                return None
            told = reply.body.decode(errors="replace").replace(asked_for, "the-id")
            seen.append((reply.status, told, tuple(sorted(reply.headers))))
        if seen[0] == seen[1]:
            return ""
        return f"an answer about job {job_id} differs from that about no job: {seen[0]} / {seen[1]}"

    @property
    def _server(self) -> str:
        if not hasattr(self, "_chosen"):
            self._chosen = next(self._urls)
        return self._chosen


def _pause(seconds: float) -> None:
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= until, seconds=seconds + 5, what="the next step", every_s=PAUSE_S)
