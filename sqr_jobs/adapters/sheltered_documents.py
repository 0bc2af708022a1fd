"""A bound on the requests that wait for the document store, so that a frozen store holds few threads."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqr_jobs.adapters.circuit_breaker import CircuitBreaker
from sqr_jobs.domain.job import Document
from sqr_jobs.errors import DocumentsUnavailable
from sqr_jobs.ports import DocumentStore, VerifyingDocuments

__all__ = ["ShelteredDocuments"]

_CALLS = 4
_WAIT_S, _STALL_S, _FIRST_S = 2.0, 0.5, 5.0
_SLOW_S = 0.5
_BREAKER_S = 5.0


class ShelteredDocuments:
    """`DocumentLinks` over a store that may stop answering.

    Web servers have few threads: FastAPI 40, gunicorn often 8. At most 4 of them use the store at a time.
    Others wait for a place, 2 s at most, and no longer when no call has begun or ended for 500 ms. A call
    that fails after more than 500 ms opens the circuit breaker for 5 s. A failure that comes sooner, such as
    a missing right, holds up no other request and opens nothing.

    The calls are made in the request's own thread. The store itself bounds how long one may take.
    """

    def __init__(
        self,
        store: DocumentStore,
        *,
        breaker_s: float = _BREAKER_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._now = now
        self._breaker = CircuitBreaker(breaker_s, now=now)
        self._changed = threading.Condition()
        self._running = 0
        self._progress_at = now()
        self._has_answered = False

    def holds(self, document: Document) -> bool:
        """Ask the store for the bytes where it can tell, else for the size."""
        store = self._store
        with self._place():
            if isinstance(store, VerifyingDocuments):
                return store.holds_unchanged(document.key, size=document.size, sha256=document.sha256)
            return store.holds(document.key, size=document.size)

    def url(self, document: Document, *, filename: str, expires_s: int, origin: str) -> str:
        """Have the store sign a URL, which may ask a provider for fresh credentials."""
        with self._place():
            return self._store.url(document.key, filename=filename, expires_s=expires_s, origin=origin)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Hold one of the places for the time of a call, and let the breaker know how it ended."""
        self._enter()
        began, failed = self._now(), True
        try:
            yield
            self._has_answered, failed = True, False
        finally:
            if failed and self._now() - began > _SLOW_S:
                self._breaker.trip()
            else:
                self._breaker.reset()
            with self._changed:
                self._running -= 1
                self._progress_at = self._now()
                self._changed.notify_all()

    def _enter(self) -> None:
        with self._changed:
            began = self._now()
            while self._running >= _CALLS:
                # The first call also makes the store's client, which takes longer than any later call.
                wait_s, stall_s = (_WAIT_S, _STALL_S) if self._has_answered else (_FIRST_S, _FIRST_S)
                left_s = min(began + wait_s, self._progress_at + stall_s) - self._now()
                if left_s <= 0:
                    raise DocumentsUnavailable("Too many requests wait for the document store.")
                self._changed.wait(left_s)
            if not self._breaker.admits():
                raise DocumentsUnavailable("The document store did not answer a moment ago.")
            self._running += 1
            self._progress_at = self._now()
