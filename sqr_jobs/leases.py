"""Leases: how long an attempt may believe that a job is its own."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import Claim
from sqr_jobs.errors import AttemptAborted, AttemptEnded, AttemptFailed, DatabaseUnavailable, LeaseLost
from sqr_jobs.logs import Outage, stack_of
from sqr_jobs.ports import JobExecution

__all__ = ["Lease", "LeaseKeeper"]

_logger = logging.getLogger("sqr_jobs.leases")


class Lease:
    """One attempt's hold on its job, in monotonic seconds of this process.

    The *fence* lies a safe distance before the moment when the database lets others take the job; each
    renewal moves it. Whoever works under a lease asks how much time is left, and stops at none.
    """

    def __init__(
        self, claim: Claim, *, claimed_at: float, fence_s: float, limit_s: float, now: Callable[[], float]
    ) -> None:
        self.claim = claim
        self._now = now
        self._fence_at = claimed_at + fence_s
        self._limit_s = limit_s
        self._limit_at = claimed_at + limit_s
        self._deadline_at = claimed_at + claim.left_ms / 1000
        self._is_aborted = False

    def left(self) -> float:
        """Seconds until this attempt may write nothing more; 0 or less when it already may not."""
        if self._is_aborted:
            return 0.0
        return min(self._fence_at, self._deadline_at) - self._now()

    def rendering_left(self) -> float:
        """Seconds until the render must be ended: by the attempt's own limit, or as `left`."""
        return min(self.left(), self._limit_at - self._now())

    def rendering_limit(self) -> float:
        """Seconds until the render must be ended even if every renewal succeeds."""
        return min(self._limit_at, self._deadline_at) - self._now()

    def begin_rendering(self) -> None:
        """Begin the attempt's own limit now: the start of a render child is no part of it."""
        self._limit_at = self._now() + self._limit_s

    def ending(self) -> AttemptEnded:
        """Say why there is no time left."""
        if self._is_aborted:
            return AttemptAborted("The worker is shutting down.")
        if self.left() <= 0:
            return LeaseLost("The lease or the deadline passed under this attempt.")
        return AttemptFailed(JobErrorCode.RENDER_TIMEOUT, "The attempt passed its time limit.")

    def check(self) -> None:
        """Raise what `ending` says when no time is left to render."""
        if self.rendering_left() <= 0:
            raise self.ending()

    def extend(self, fence_at: float) -> None:
        """Move the fence after a renewal."""
        self._fence_at = max(self._fence_at, fence_at)

    def lose(self) -> None:
        """Stop at once: the database said that the job is not this attempt's any more."""
        self._fence_at = float("-inf")

    def abort(self) -> None:
        """Stop at once, and give the job back."""
        self._is_aborted = True


class LeaseKeeper:
    """Renews the leases of one process from one thread.

    The thread that runs an attempt does no database I/O meanwhile, so a slow database can't hold up the
    kill of an attempt whose time is over.
    """

    def __init__(
        self,
        jobs: JobExecution,
        *,
        heartbeat_s: float,
        fence_s: float,
        limit_s: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._jobs = jobs
        self._heartbeat_s = heartbeat_s
        self._fence_s = fence_s
        self._limit_s = limit_s
        self._now = now
        self._leases: set[Lease] = set()
        self._is_aborting = False
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._outage = Outage()

    @contextmanager
    def hold(self, claim: Claim, *, claimed_at: float) -> Iterator[Lease]:
        """Keep a claim's lease alive; `claimed_at` is the monotonic time before the claim was sent."""
        lease = Lease(
            claim, claimed_at=claimed_at, fence_s=self._fence_s, limit_s=self._limit_s, now=self._now
        )
        with self._lock:
            if self._thread is None and not self._stop.is_set():
                thread = threading.Thread(target=self._beat, name="sqr-jobs-leases", daemon=True)
                thread.start()  # which a process that is out of threads refuses; the next claim tries again
                self._thread = thread
            if self._is_aborting:
                lease.abort()  # it was being claimed when all the others were
            self._leases.add(lease)
        try:
            yield lease
        finally:
            with self._lock:
                self._leases.discard(lease)

    def renew_all(self) -> None:
        """Renew every lease once. A database out of reach changes nothing: the fences end the attempts.

        All at once: one after the other, a slow database would let the last ones pass their fences.
        """
        with self._lock:
            leases = list(self._leases)
        if not leases:
            return
        sent_at = self._now()
        try:
            renewal = self._jobs.renew([lease.claim for lease in leases])
        except DatabaseUnavailable as error:
            self._tell(error)
            return
        self._tell(None)
        for lease in leases:
            if lease.claim.token in renewal.extended:
                lease.extend(sent_at + self._fence_s)
            elif lease.claim.token in renewal.lost:
                lease.lose()

    def abort_all(self) -> None:
        """Stop every attempt of this process and each that is yet to come; their jobs go back."""
        with self._lock:
            self._is_aborting = True
            for lease in self._leases:
                lease.abort()

    def stop(self) -> None:
        """End the thread. Leases that are still held run into their fences."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=1)

    def _tell(self, failure: DatabaseUnavailable | None) -> None:
        if failure is not None:
            if self._outage.is_news(str(failure)):
                _logger.warning("leases can't be renewed, attempts run on until their fences: %s", failure)
        elif (lasted_s := self._outage.over()) is not None:
            _logger.info("leases are renewed again, after %.0f s", lasted_s)

    def _beat(self) -> None:
        while not self._stop.wait(self._heartbeat_s):
            try:
                self.renew_all()
            except Exception as error:  # noqa: BLE001 - whatever it is, the other leases want renewing
                if self._outage.is_news(type(error).__qualname__):
                    _logger.error("the lease keeper failed and goes on%s", stack_of(error))  # noqa: TRY400 - its message stays out
