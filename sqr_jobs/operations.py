"""What operators do with jobs: look, cancel, try again, erase a person."""

import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqr_jobs.domain.caller import Caller
from sqr_jobs.domain.job import Job, JobEvent
from sqr_jobs.domain.rate_limit import RateLimit
from sqr_jobs.domain.states import TERMINAL, JobState
from sqr_jobs.domain.upkeep import JobSearch
from sqr_jobs.errors import ConfigurationError, JobNotFound, Unavailable
from sqr_jobs.ports import DocumentStore, JobHistory, JobOperations
from sqr_jobs.report_jobs import ReportJobs

__all__ = ["Operations", "Receipt"]

_logger = logging.getLogger("sqr_jobs.operations")

_BATCH = 100
_NO_LIMIT = RateLimit(requests=1_000_000, window_s=1)


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What was erased of one person, to be kept as the proof of it; it names objects and rows, no content."""

    jobs: int
    cancelled: int
    """Of the jobs, those that were still active and were ended for it."""
    causes: int
    """Internal error texts."""
    idempotency_keys: int
    objects: int
    """Keys under which an attempt may have stored a document; all were deleted, or were not there."""
    job_ids: tuple[str, ...]
    service: str
    """The service whose jobs were erased; another one on the same database is erased from there."""
    stopped_by: str | None = None
    """Why the erasure is not complete; None where it is."""


class Operations:
    """Looks at and changes a service's jobs, of every org.

    Every method but `erase` raises `DatabaseUnavailable`.
    """

    def __init__(
        self,
        *,
        reports: ReportJobs,
        jobs: JobOperations,
        history: JobHistory,
        documents: Callable[[], DocumentStore],
        service: str,
    ) -> None:
        self._service = service
        self._reports = reports
        self._jobs = jobs
        self._history = history
        self._documents = documents

    def search(self, wanted: JobSearch) -> Sequence[Job]:
        """Find jobs, the newest first."""
        return self._jobs.search(wanted)

    def get(self, job_id: str) -> Job:
        """Read a job. Raises `JobNotFound`."""
        job = self._jobs.get(_canonical(job_id))
        if job is None:
            raise JobNotFound
        return job

    def history(self, job_id: str) -> Sequence[JobEvent]:
        """Read every transition of a job, with the causes of its failures, oldest first.

        Raises `JobNotFound`, also for a job of another service.
        """
        return self._history.history(self.get(job_id).job_id)

    def cancel(self, job_id: str) -> Job:
        """End a job that need not be made any more; return it as it stands.

        Its attempt, if one runs, is stopped at its next heartbeat. Raises `JobNotFound`.
        """
        return self._jobs.cancel(self.get(job_id))

    def retry(self, job_id: str) -> Job:
        """Create a new job like one that FAILED or was cancelled, after asking the host again.

        Its document is kept for as long as the other's would have been; its deadline is the settings'. The
        org's rate limit does not count against an operator. Raises `JobNotFound`, `ConfigurationError`
        for a job that did not fail, and what `ReportJobs.create` raises.
        """
        job = self.get(job_id)
        if job.state not in TERMINAL - {JobState.COMPLETE}:
            raise ConfigurationError(
                f"Job {job.job_id} is {job.state}. Only a job that failed can be retried."
            )
        if not job.user_id:
            raise ConfigurationError(f"Job {job.job_id} was erased: it does not tell whom it was about.")
        kept_s = job.document_lifetime_ms / 1000
        may_be_kept = not self._reports.parts.lifetimes.faults(None, kept_s)
        return self._reports.create(
            Caller(org_id=job.org_id),
            user_id=job.user_id,
            document_lifetime_s=kept_s if may_be_kept else None,
            rate_limit=_NO_LIMIT,
        )

    def erase(self, org_id: str, user_id: str) -> Receipt:
        """Erase a person from an org's jobs, their history, idempotency records and documents.

        Only this service's: another one on its database has a command of its own. What is active is cancelled
        first. An outage ends the erasure early, and the receipt says so, with what was done by then. Repeat
        it: no row is counted twice, and nothing is left out. Take the person's rights away before, or a
        client may ask for a new report during the erasure. Raises `ConfigurationError` without an org or a
        user.
        """
        if not (org_id and user_id):
            raise ConfigurationError("Nothing was erased. Name the organisation and the user.")
        receipt = Receipt(
            jobs=0,
            cancelled=0,
            causes=0,
            idempotency_keys=0,
            objects=0,
            job_ids=(),
            service=self._service,
        )
        steps = self._erase(JobSearch(org_id=org_id, user_id=user_id, limit=_BATCH), receipt)
        try:
            for so_far in steps:
                receipt = so_far
        except Unavailable as error:
            receipt = replace(receipt, stopped_by=str(error))
        _logger.info("erased a person from %s jobs", receipt.jobs)
        return receipt

    def _erase(self, wanted: JobSearch, done: Receipt) -> Iterator[Receipt]:
        """Erase step by step; give the receipt after each."""
        while jobs := self._jobs.search(wanted):
            for job in jobs:
                # One that has ended by itself meanwhile was not ended for this.
                if job.is_active and self._jobs.cancel(job).state is JobState.CANCELLED:
                    yield (done := replace(done, cancelled=done.cancelled + 1))
            job_ids = [job.job_id for job in jobs]
            for key in self._jobs.document_keys(job_ids):
                self._documents().delete(key)
                yield (done := replace(done, objects=done.objects + 1))
            erased = self._jobs.erase(job_ids)
            yield (
                done := replace(
                    done,
                    jobs=done.jobs + erased.jobs,
                    causes=done.causes + erased.causes,
                    idempotency_keys=done.idempotency_keys + erased.idempotency_keys,
                    job_ids=(*done.job_ids, *job_ids),
                )
            )


def _canonical(job_id: str) -> str:
    """Read a job id as an operator may paste it."""
    try:
        return str(uuid.UUID(job_id.strip()))
    except ValueError:
        raise JobNotFound from None
