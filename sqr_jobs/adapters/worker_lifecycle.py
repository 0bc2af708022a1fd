"""Ties a worker's service to the life of a Dramatiq worker process."""

import logging
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import dramatiq

from sqr_jobs.logs import stack_of
from sqr_jobs.service import WorkerService

__all__ = ["WorkerLifecycle"]

_logger = logging.getLogger("sqr_jobs.worker")


class WorkerLifecycle(dramatiq.Middleware):
    """Starts the service after the process booted, drains it at SIGTERM, and stops it at the end.

    It holds no job state: Dramatiq swallows what a hook raises. A second SIGTERM or SIGHUP changes
    nothing, because systemd sends one to the whole group and Dramatiq's master forwards another.
    """

    def __init__(self, service: Callable[[], WorkerService], *, threads: int) -> None:
        self._make_service = service
        self._service: WorkerService | None = None
        self._slots = threading.Semaphore(threads)

    def process(self, job_id: str | None) -> bool:
        """Make one attempt, for the actor; never more at a time than there are `threads`.

        `dramatiq --threads` may run more, and so take rings of the broker and of this process side by side.
        """
        if self._service is None:
            return False
        with self._slots:
            return self._service.processor.process(job_id)

    def after_process_boot(self, broker: dramatiq.Broker) -> None:  # noqa: ARG002 - Dramatiq's hook
        """Start relay and reaper in the worker process itself, after the fork."""
        try:
            self._service = self._make_service()
            self._service.start()
        except Exception as error:  # noqa: BLE001
            # Dramatiq would swallow it, and the worker would stay and do nothing.
            _logger.error("the worker can't start%s", stack_of(error))  # noqa: TRY400 - its message stays out
            sys.exit(1)
        if threading.current_thread() is threading.main_thread():
            self._drain_once(self._service)

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        """Log what runs now, with the threads that Dramatiq was told to run."""
        if self._service:
            self._service.tell(worker.worker_threads)

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        """Claim nothing more."""
        if self._service:
            self._service.drain()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        """End threads and children."""
        if self._service:
            self._service.stop()

    @staticmethod
    def _drain_once(service: WorkerService) -> None:
        numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
        dramatiqs: dict[int, Any] = {number: signal.getsignal(number) for number in numbers}
        arrived = False

        def handle(signum: int, frame: object) -> None:
            nonlocal arrived
            if arrived:
                return
            arrived = True
            service.drain()
            if callable(dramatiqs[signum]):
                dramatiqs[signum](signum, frame)

        for number in numbers:
            signal.signal(number, handle)
