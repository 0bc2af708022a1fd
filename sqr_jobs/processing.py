"""One attempt, from claim to complete."""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from sqr_jobs.domain.failures import FAULTS_OF_THE_WORKER, JobErrorCode
from sqr_jobs.domain.glyphs import MissingGlyphs
from sqr_jobs.domain.job import Claim, Document
from sqr_jobs.errors import (
    AttemptAborted,
    AttemptFailed,
    ConfigurationError,
    DatabaseUnavailable,
    DocumentsUnavailable,
    LeaseLost,
)
from sqr_jobs.leases import Lease, LeaseKeeper
from sqr_jobs.logs import Throttle, job_fields, stack_of
from sqr_jobs.ports import DocumentProducer, DocumentStore, JobExecution, RenderOrder

__all__ = ["Processor"]

_logger = logging.getLogger("sqr_jobs.processing")

_TEMPLATE_WAIT_MS = 5_000
_BROKEN_WAIT_MS = 5_000
_WRITE_AGAIN_S = 0.25
_Answer = TypeVar("_Answer")


class Processor:
    """Claims jobs, has their documents made and stored, and records the end.

    Whatever happens in between, the job either reaches its end here, or its lease runs out and another
    worker takes it: nothing is remembered outside the database.
    """

    def __init__(
        self,
        *,
        jobs: JobExecution,
        producer: DocumentProducer,
        documents: DocumentStore,
        leases: LeaseKeeper,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._jobs = jobs
        self._producer = producer
        self._documents = documents
        self._leases = leases
        self._now = now
        self._draining = threading.Event()
        self._unknown = Throttle(now=now)  # by template

    def process(self, job_id: str | None = None) -> bool:
        """Make one attempt at the job named, else at the oldest due one.

        Returns whether there was one to make. Raises `DatabaseUnavailable` only when none could be claimed.
        """
        if self._draining.is_set():
            return False  # the row stays due, and a relay rings for it elsewhere
        claimed_at = self._now()
        claim = self._jobs.claim(job_id)
        if claim is None:
            return False
        with self._leases.hold(claim, claimed_at=claimed_at) as lease:
            self._attempt(claim, lease, claimed_at)
        return True

    def drain(self) -> None:
        """Claim nothing more; attempts that run go on."""
        self._draining.set()

    def abort(self) -> None:
        """Stop the attempts that still run and give their jobs back."""
        self._draining.set()
        self._leases.abort_all()

    def _attempt(self, claim: Claim, lease: Lease, claimed_at: float) -> None:
        try:
            document, missing = self._make(claim, lease)
            duration_ms = round((self._now() - claimed_at) * 1000)
            if missing is not None:
                counts = missing.characters, missing.for_log()
                self._log(logging.WARNING, "%d characters were drawn without a glyph (%s)", claim, *counts)
            note = missing.for_history() if missing is not None else None
            if not self._insist(
                lease, lambda: self._jobs.complete(claim, document, duration_ms=duration_ms, note=note)
            ):
                self._log(logging.WARNING, "fenced off: another attempt owns the job", claim)
        except AttemptFailed as failure:
            self._end_failed(claim, lease, failure)
        except AttemptAborted:
            self._end_aborted(claim)
        except (LeaseLost, DatabaseUnavailable) as ending:
            self._log(logging.WARNING, "left to whoever owns it now: %s", claim, ending)
        except ConfigurationError as error:
            # This worker can't, another one may: a broken machine must not use up the job's tries.
            self._log(logging.ERROR, "this worker can make no document: %s", claim, error)
            self._end_aborted(claim, delay_ms=_BROKEN_WAIT_MS, cause=str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours must not cost the job its bounded tries
            self._log(logging.ERROR, "an attempt broke%s", claim, stack_of(error))
            broken = AttemptFailed(JobErrorCode.RENDER_CRASHED, f"{type(error).__name__}: {error}")
            self._end_failed(claim, lease, broken)

    def _make(self, claim: Claim, lease: Lease) -> tuple[Document, MissingGlyphs | None]:
        job = claim.job
        order = RenderOrder(
            job_id=job.job_id,
            org_id=job.org_id,
            user_id=job.user_id,
            template=job.template,
            created_at=job.created_at,
        )
        produced = self._producer.produce(order, lease)
        time_left, is_read = _TimeLeft(lease.left), True
        try:
            self._documents.put(claim.document_key, produced, until=time_left)
            is_read = False
        except DocumentsUnavailable as error:
            is_read = time_left.is_over
            if lease.left() <= 0:
                raise lease.ending() from None
            raise AttemptFailed(JobErrorCode.STORAGE_UNAVAILABLE, str(error), reason=str(error)) from None
        finally:
            # An upload that was abandoned may go on in a thread of the store.
            free = produced.discard if is_read and produced.discard else produced.release
            free()
        document = Document(key=claim.document_key, size=produced.size, sha256=produced.sha256)
        return document, produced.missing_glyphs

    def _end_aborted(self, claim: Claim, *, delay_ms: int = 0, cause: str | None = None) -> None:
        try:
            self._jobs.give_back(claim, delay_ms=delay_ms, cause=cause)
        except DatabaseUnavailable as error:
            self._log(logging.WARNING, "left to its lease, it could not be given back: %s", claim, error)

    def _end_failed(self, claim: Claim, lease: Lease, failure: AttemptFailed) -> None:
        reason = f" ({failure.reason.rstrip('.')})" if failure.reason else ""
        if failure.code is JobErrorCode.TEMPLATE_NOT_FOUND and not self._unknown.lets_through(
            str(claim.job.template)
        ):
            self._log(logging.DEBUG, "attempt failed again: %s%s", claim, failure.code, reason)
        elif failure.code is not JobErrorCode.RENDER_START_FAILED:  # logged once per outage, by the producer
            self._log(logging.WARNING, "attempt failed: %s%s%s", claim, failure.code, reason, failure.stack)
        try:
            if failure.code in FAULTS_OF_THE_WORKER:
                self._insist(
                    lease,
                    lambda: self._jobs.give_back(
                        claim, delay_ms=_TEMPLATE_WAIT_MS, code=failure.code, cause=failure.cause
                    ),
                )
            else:
                self._insist(
                    lease,
                    lambda: self._jobs.fail(claim, failure.code, failure.cause, is_final=failure.is_final),
                )
        except (LeaseLost, AttemptAborted, DatabaseUnavailable) as ending:
            self._log(logging.WARNING, "the failure could not be recorded: %s", claim, ending)

    def _insist(self, lease: Lease, write: Callable[[], _Answer]) -> _Answer:
        """Repeat a fenced write over a database outage, while the lease allows it."""
        while True:
            try:
                return write()
            except DatabaseUnavailable:
                if lease.left() <= _WRITE_AGAIN_S:
                    raise
                time.sleep(_WRITE_AGAIN_S)

    def _log(self, level: int, message: str, claim: Claim, *values: object) -> None:
        fields = job_fields(claim.job)
        _logger.log(level, "job %s: " + message, claim.job.job_id, *values, extra=fields)  # noqa: G003 - all literals


class _TimeLeft:
    """The time of an upload: once it is over it stays over, even if a late renewal moves the fence."""

    def __init__(self, left: Callable[[], float]) -> None:
        self._left = left
        self.is_over = False

    def __call__(self) -> float:
        seconds = 0.0 if self.is_over else self._left()
        self.is_over = seconds <= 0
        return seconds
