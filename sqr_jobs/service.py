"""What a worker process runs beside the actor: leases, relay, reaper, and their end."""

import logging
import threading

from sqr_jobs.errors import ConfigurationError
from sqr_jobs.leases import LeaseKeeper
from sqr_jobs.maintenance import Maintenance
from sqr_jobs.ports import DocumentProducer
from sqr_jobs.processing import Processor

__all__ = ["WorkerService"]

_logger = logging.getLogger("sqr_jobs.worker")

_RESERVE_S = 5.0


class WorkerService:
    """Starts and stops a worker's parts in order.

    Shutdown is in two steps: from `drain` on nothing new is claimed, and attempts that still run shortly
    before the grace ends are stopped and given back, so that another worker has them at once. `serves` says
    in a line, for the log, what this worker works on.
    """

    def __init__(
        self,
        *,
        processor: Processor,
        producer: DocumentProducer,
        leases: LeaseKeeper,
        maintenance: Maintenance,
        grace_s: float,
        serves: str,
    ) -> None:
        self.processor = processor
        self._producer = producer
        self._leases = leases
        self._maintenance = maintenance
        self._grace_s = grace_s
        self._serves = serves
        self._draining = threading.Event()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Start relay and reaper, and a render child; the lease keeper starts with the first claim."""
        self._maintenance.start()
        # Now, because from Python 3.12 on no thread can be started when an interpreter has begun to end.
        threading.Thread(target=self._abort_in_time, name="sqr-jobs-end", daemon=True).start()
        threading.Thread(target=self._warm, name="sqr-jobs-warm", daemon=True).start()

    def tell(self, threads: int) -> None:
        """Log what runs now."""
        _logger.info("the worker runs: %s; %d threads", self._serves, threads)

    def drain(self) -> None:
        """Claim nothing more; give back what has not ended 5 s before the grace does, or at half of it."""
        if self._draining.is_set():
            return
        self.processor.drain()
        self._maintenance.drain()
        _logger.info("draining: running attempts have %.1f s to end", self._left_s)
        self._draining.set()

    def stop(self) -> None:
        """End the threads and the idle children, once no attempt runs."""
        self._stopped.set()
        self._draining.set()
        self._maintenance.stop()
        self._leases.stop()
        self._producer.close()
        _logger.info("the worker has stopped")

    @property
    def _left_s(self) -> float:
        return max(self._grace_s - _RESERVE_S, self._grace_s / 2)

    def _abort_in_time(self) -> None:
        self._draining.wait()
        if not self._stopped.wait(self._left_s):
            self.processor.abort()

    def _warm(self) -> None:
        try:
            self._producer.warm()
        except ConfigurationError as error:
            _logger.error("no render child could be started: %s", error)  # noqa: TRY400 - it says it all
