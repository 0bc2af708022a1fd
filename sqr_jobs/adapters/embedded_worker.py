"""The worker inside the web process: Dramatiq on a broker in memory."""

import atexit
import os
import sys
import threading
from collections.abc import Callable

import dramatiq
from dramatiq.brokers.stub import StubBroker

from sqr_jobs.domain.announcement import Announcement
from sqr_jobs.service import WorkerService

__all__ = ["InProcessBroker", "InProcessWorker", "NoQueue", "NoWorker"]

_TIMEOUT_MS = 100


class NoWorker:
    """`EmbeddedWorker` of a web process whose workers run elsewhere."""

    def start(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""


class NoQueue:
    """`JobQueue` of a service whose jobs wait until somebody runs them, as in a host's tests."""

    def ring(self, job_id: str) -> None:
        """Wake nobody."""

    def waiting(self) -> int:
        """Tell that nobody needs to be woken."""
        return sys.maxsize

    def announce(self, worker: str, announcement: Announcement) -> None:
        """Announce it to nobody."""

    def withdraw(self, worker: str) -> None:
        """Do nothing."""

    def workers(self) -> dict[str, Announcement]:
        """Return none."""
        return {}


class InProcessWorker:
    """`EmbeddedWorker` that starts once per process and never before a fork.

    A server that loads the application and then forks gets one worker in each child: what was started is
    remembered with the process that started it.
    """

    def __init__(
        self,
        *,
        broker: Callable[[], dramatiq.Broker],
        service: Callable[[], WorkerService],
        threads: int,
        grace_s: float,
    ) -> None:
        self._broker = broker
        self._make_service = service
        self._threads = threads
        self._grace_s = grace_s
        self._lock = threading.Lock()
        self._started_in: int | None = None
        self._service: WorkerService | None = None
        self._worker: dramatiq.Worker | None = None

    def start(self) -> None:
        """Start the worker unless this process has it."""
        if self._started_in == os.getpid():
            return
        with self._lock:
            if self._started_in == os.getpid():
                return
            service = self._make_service()
            broker = self._broker()
            broker.emit_after("process_boot")
            worker = dramatiq.Worker(broker, worker_threads=self._threads, worker_timeout=_TIMEOUT_MS)
            try:
                worker.start()
                service.start()
            except BaseException:  # out of threads, for one: the next request tries again, with all anew
                worker.stop(timeout=round(self._grace_s * 1000))
                service.stop()
                raise
            self._service, self._worker = service, worker
            self._started_in = os.getpid()
            atexit.register(self.stop)
            service.tell(self._threads)

    def stop(self) -> None:
        """Drain, stop and forget, so that `start` can begin anew."""
        if self._started_in not in (None, os.getpid()):
            return  # at the end of a forked process, whose copy of the lock nobody may ever release
        with self._lock:
            if self._service is None or self._worker is None:
                return
            self._service.drain()
            self._worker.stop(timeout=round(self._grace_s * 1000))
            self._service.stop()
            self._started_in = self._service = self._worker = None
            atexit.unregister(self.stop)


class InProcessBroker(StubBroker):
    """A broker in memory, without Dramatiq's default middleware, which would retry."""

    def __init__(self) -> None:
        super().__init__(middleware=[])
        self._workers: dict[str, str] = {}

    def waiting(self, queue_name: str) -> int:
        """Count the messages that no consumer has fetched."""
        return int(self.queues[queue_name].qsize())

    def announce(self, worker: str, announcement: str) -> None:
        """Remember the one worker there is."""
        self._workers = {worker: announcement}

    def withdraw(self, worker: str) -> None:
        """Forget it."""
        self._workers.pop(worker, None)

    def workers(self) -> dict[str, str]:
        """Tell of it."""
        return self._workers
