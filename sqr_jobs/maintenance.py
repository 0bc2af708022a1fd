"""What keeps jobs moving when something died: the relay rings again, the reaper takes and ends."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence

from sqr_jobs.domain.announcement import Announcement
from sqr_jobs.errors import ConfigurationError, QueueUnavailable, Unavailable
from sqr_jobs.logs import Outage, Throttle, stack_of
from sqr_jobs.ports import JobQueue, JobUpkeep, OwnDoorbell
from sqr_jobs.retention import Retention
from sqr_jobs.worker_name import worker_name

__all__ = ["Maintenance"]

_logger = logging.getLogger("sqr_jobs.maintenance")

_BATCH = 100
_ANNOUNCE_S = 4.0
_RETENTION_S = 60.0
_STOP_S = 1.0


class Maintenance:
    """Relay and reaper. Any number of copies may run: the relay only reads, the reaper compares and swaps.

    `own` is the doorbell of a worker process for itself: the relay rings it while the broker fails.
    """

    def __init__(
        self,
        *,
        jobs: JobUpkeep,
        queue: JobQueue,
        relay_interval_s: float,
        reaper_interval_s: float,
        retention: Retention | None = None,
        is_worker: bool = False,
        service: str | None = None,
        templates: Sequence[str] = (),
        version: str = "",
        own: OwnDoorbell | None = None,
    ) -> None:
        self._jobs = jobs
        self._queue = queue
        self._own = own
        self._loops = [
            _Loop("relay", self.relay, relay_interval_s),
            _Loop("reaper", self.reap, reaper_interval_s),
        ]
        self._retention = retention
        if retention is not None:
            self._loops.append(_Loop("retention", retention.run, _RETENTION_S))
        self._announcement = _Loop("announcement", self.announce, _ANNOUNCE_S, at_end=self.withdraw)
        if is_worker:
            self._loops.append(self._announcement)
        self._worker = worker_name()
        self._service = service
        self._templates = tuple(templates)
        self._version = version
        self._is_worker = is_worker
        self._unknown = Throttle()  # by template

    def relay(self) -> int:
        """Ring for due jobs that no waiting message stands for, at most 100; the number of rings.

        A message lost, a broker wiped or a process that died between commit and ring is healed by this. In a
        worker, jobs do not wait for a broker that fails: the worker is rung directly. Raises
        `QueueUnavailable`.
        """
        due = self._jobs.count_due()
        if due == 0:
            return 0
        try:
            rung = self._ring(due)
        except QueueUnavailable as error:
            if self._own is None:
                raise
            self._ring_own(self._own, due)
            raise QueueUnavailable(f"{error} Until then, this worker claims due jobs without it.") from None
        if self._own is not None and self._own.is_cut_off:  # rings arrive there, and nothing comes back
            self._ring_own(self._own, due)
        return rung

    def _ring(self, due: int) -> int:
        missing = min(due - self._queue.waiting(), _BATCH)
        if missing <= 0:
            return 0
        job_ids = self._jobs.due(missing)
        for job_id in job_ids:
            self._queue.ring(job_id)
        return len(job_ids)

    def _ring_own(self, own: OwnDoorbell, due: int) -> None:
        missing = min(due, _BATCH) - own.waiting()
        if missing > 0:
            for job_id in self._jobs.due(missing):
                own.ring(job_id)

    def reap(self) -> int:
        """End jobs past their deadline, and take jobs whose worker died; the number of both.

        Before that, rows from the future are moved to the present, and a worker notes the jobs whose template
        it does not know. Expired idempotency keys are deleted.
        """
        try:
            if moved := _all_of(self._jobs.rewind):
                _logger.warning(
                    "the database's clock was set back: moved %d jobs from the future to now", moved
                )
            if self._is_worker:
                self._note_unknown()
        finally:  # a row that can't be moved must stop no deadline
            reaped = _all_of(self._jobs.reap_deadlines) + _all_of(self._jobs.reap_leases)
        _all_of(self._jobs.forget_keys)
        return reaped

    def _rewind(self) -> None:
        if moved := _all_of(self._jobs.rewind):
            _logger.warning("the database's clock was set back: moved %d jobs from the future to now", moved)

    def _note_unknown(self) -> None:
        _all_of(self._jobs.note_unknown)
        for template in self._jobs.unknown_templates():
            if self._unknown.lets_through(str(template)):
                _logger.warning(
                    "jobs wait for the template %s, which this worker does not know. Deploy the version of "
                    "the application that registers it",
                    template,
                )

    def announce(self) -> int:
        """Announce this worker, its database, service and templates, for `sqr-jobs check`."""
        announcement = Announcement(
            database=self._jobs.database_identity(),
            service=self._service,
            templates=self._templates,
            version=self._version,
        )
        self._queue.announce(self._worker, announcement)
        return 1

    def withdraw(self) -> int:
        """Have the broker forget that this process works."""
        self._queue.withdraw(self._worker)
        return 1

    def run_once(self) -> tuple[int, int, int]:
        """Do each duty once, as `sqr-jobs maintain --once` does.

        How many jobs were reaped, how many rung for, how many objects and rows deleted.
        """
        reaped, rung = self.reap(), self.relay()
        return reaped, rung, self._retention.run() if self._retention else 0

    def start(self) -> None:
        """Run each in a thread of its own, so that a slow broker never holds up the reaper."""
        for loop in self._loops:
            loop.start()

    def drain(self) -> None:
        """Stop announcing this process, and have its announcement withdrawn; it takes no more jobs."""
        self._announcement.ask_to_stop()

    def stop(self) -> None:
        """End the threads, within a second; one that hangs ends with the process."""
        for loop in self._loops:
            loop.ask_to_stop()
        until = time.monotonic() + _STOP_S
        for loop in self._loops:
            loop.join(until - time.monotonic())


def _all_of(take: Callable[[int], int]) -> int:
    """Take batch after batch until one yields nothing: of a batch, another copy may have taken a part."""
    total = 0
    while taken := take(_BATCH):
        total += taken
    return total


class _Loop:
    """Runs one duty at an interval, and another at the end. Logs the beginning and the end of an outage."""

    def __init__(
        self,
        name: str,
        duty: Callable[[], int],
        interval_s: float,
        *,
        at_end: Callable[[], int] | None = None,
    ) -> None:
        self._name = name
        self._duty = duty
        self._at_end = at_end
        self._interval_s = interval_s
        self._outage = Outage()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"sqr-jobs-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ask_to_stop(self) -> None:
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        if self._thread.is_alive():
            self._thread.join(timeout=max(timeout_s, 0))

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._duty()
            except (Unavailable, ConfigurationError) as error:  # it tells what to do
                if self._outage.is_news(str(error)):
                    _logger.warning("the %s waits: %s", self._name, error)
            except Exception as error:  # noqa: BLE001 - the next round may do better
                if self._outage.is_news(type(error).__qualname__):
                    _logger.error("the %s failed and goes on%s", self._name, stack_of(error))  # noqa: TRY400 - its message stays out
            else:
                if (lasted_s := self._outage.over()) is not None:
                    _logger.info("the %s goes on, after %.0f s", self._name, lasted_s)
            self._stop.wait(self._interval_s)
        if self._at_end is not None:
            with contextlib.suppress(Exception):  # what it would end lapses anyway
                self._at_end()
