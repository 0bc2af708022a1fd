"""`ReportJobs`: what a host holds and the endpoints call."""

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqr_jobs.domain.caller import Caller, User, user_id_faults
from sqr_jobs.domain.job import TWIN_WAIT_S, IdempotencyKey, Job, NewJob, Reservation
from sqr_jobs.domain.lifetimes import Lifetimes
from sqr_jobs.domain.rate_limit import RateLimit
from sqr_jobs.domain.states import ApiStatus, JobState
from sqr_jobs.errors import (
    DatabaseUnavailable,
    DocumentExpired,
    DocumentGone,
    JobAlreadyEnded,
    JobFailed,
    JobNotComplete,
    JobNotFound,
    QueueUnavailable,
    RequestInvalid,
    UserNotFound,
    UserNotPermitted,
)
from sqr_jobs.logs import Outage, job_fields
from sqr_jobs.ports import (
    DocumentLinks,
    JobIntake,
    JobQueue,
    Quota,
    RateLimiter,
    TemplateCatalog,
    UserDirectory,
)

__all__ = ["Download", "EmbeddedWorker", "ReportJobs", "ReportParts"]

_logger = logging.getLogger("sqr_jobs.report_jobs")

_URL_LIFETIME_S = 300


@dataclass(frozen=True, kw_only=True)
class Download:
    """A fresh, signed address of a finished document."""

    url: str = field(repr=False)
    expires_in_s: int
    """Seconds from now on: 300 (contract, "GET url")."""
    filename: str = field(repr=False)
    """The name under which a browser saves it."""


class EmbeddedWorker(Protocol):
    """The worker inside the web process; one that does nothing where workers run elsewhere."""

    def start(self) -> None:
        """Start once per process; again is nothing."""
        ...

    def stop(self) -> None:
        """Let running attempts end or give them back, then stop."""
        ...


class ReportParts(Protocol):
    """What `ReportJobs` stands on."""

    @property
    def intake(self) -> JobIntake:
        """Where jobs are stored."""
        ...

    @property
    def limiter(self) -> RateLimiter:
        """What counts requests in front of it."""
        ...

    @property
    def queue(self) -> JobQueue:
        """What wakes workers."""
        ...

    @property
    def links(self) -> DocumentLinks:
        """Issues the URLs of documents."""
        ...

    @property
    def users(self) -> UserDirectory:
        """The host's people."""
        ...

    @property
    def templates(self) -> TemplateCatalog:
        """The registered templates."""
        ...

    def rate_limit(self, caller: Caller) -> RateLimit:
        """How much the caller's org may ask for: what the limiter counts against, and the database."""
        ...

    @property
    def lifetimes(self) -> Lifetimes:
        """How long jobs may take and documents are kept."""
        ...

    @property
    def user_id_max(self) -> int:
        """How many characters a user's id may have."""
        ...

    @property
    def worker(self) -> EmbeddedWorker:
        """The worker of this process."""
        ...


class ReportJobs:
    """Creates report jobs, tells how they stand, and issues the URLs of their documents.

    Built by `sqr_jobs.build_report_jobs`; safe to use from any thread. `create` and `download_url`
    ask the host's `UserDirectory` anew: nothing about permissions is remembered. `status` and `cancel` ask
    no more than whether the job is the caller's org's.
    """

    def __init__(self, parts: ReportParts, *, new_id: Callable[[], str] = lambda: str(uuid.uuid4())) -> None:
        self.parts = parts
        """What this stands on, each made when it is first asked for; not for hosts."""
        self._new_id = new_id
        self._ringing = Outage()

    @property
    def templates(self) -> TemplateCatalog:
        """The registered templates."""
        return self.parts.templates

    def start(self) -> None:
        """Start the embedded worker of this process, once; where workers run elsewhere, nothing."""
        self.parts.worker.start()

    def stop(self) -> None:
        """Stop what `start` started."""
        self.parts.worker.stop()

    def admit(self, caller: Caller) -> Quota:
        """Count one request of the caller's org, as each POST does before its body is looked at.

        Raises `RateLimited`. Whatever this forgets, the ceiling in the database holds.
        """
        quota = self.parts.limiter.hit(caller.org_id, self.parts.rate_limit(caller))
        return quota.check()

    def reserve(self, caller: Caller, key: IdempotencyKey) -> Reservation | Job:
        """Begin to answer an idempotency key: the right to create, or the job that was created with it.

        A reservation is passed to `create`, or given to `release` when the request is refused; none is made
        over the limit. Raises what `admit` and `JobIntake.reserve` raise.
        """
        until = time.monotonic() + TWIN_WAIT_S
        answered = self.parts.intake.answered(caller.org_id, key, wait_s=TWIN_WAIT_S)
        if answered is not None:
            return answered
        self.parts.limiter.look(caller.org_id, self.parts.rate_limit(caller)).check()
        return self.parts.intake.reserve(caller.org_id, key, wait_s=until - time.monotonic())

    def release(self, reservation: Reservation) -> None:
        """Forget a reservation; one that can't be forgotten lapses by itself."""
        try:
            self.parts.intake.release(reservation)
        except DatabaseUnavailable as error:
            _logger.warning("an idempotency key could not be released: %s", error)

    def create(
        self,
        caller: Caller,
        *,
        user_id: str,
        deadline_s: float | None = None,
        document_lifetime_s: float | None = None,
        connection: Any = None,
        reservation: Reservation | None = None,
        rate_limit: RateLimit | None = None,
    ) -> Job:
        """Store a job for a report on this user; when it returns, the job is committed.

        `deadline_s` and `document_lifetime_s` are this job's own times, within the bounds of the settings.
        With `connection`, a SQLAlchemy connection in a transaction of the host's, the job is inserted under
        a SAVEPOINT and belongs to that transaction: the host's commit makes it, the host's rollback leaves
        nothing. `rate_limit` is what `admit` counted against, asked for anew where it is missing;
        `reservation` is the endpoint's own. Raises `RequestInvalid`, `UserNotFound`, `UserNotPermitted`,
        `RateLimited`, `JobAlreadyActive` or `DatabaseUnavailable`.
        """
        lifetimes = self.parts.lifetimes
        faults = user_id_faults(user_id, longest=self.parts.user_id_max)
        if faults := faults + lifetimes.faults(deadline_s, document_lifetime_s):
            raise RequestInvalid(" ".join(faults))
        user = self.parts.users.find(user_id)
        if user is None:
            raise UserNotFound("There is no user with this userId.")
        self._permit(caller, user)
        template = self.parts.templates.choose(caller, user)
        kept_s = document_lifetime_s or self.parts.templates.document_lifetime_s(template)
        new = NewJob(
            job_id=self._new_id(),
            org_id=caller.org_id,
            user_id=user_id,
            template=template,
            lifetime_ms=round((deadline_s or lifetimes.deadline_s) * 1000),
            document_lifetime_ms=round((kept_s or lifetimes.document_s) * 1000),
        )
        job = self.parts.intake.create(
            new,
            rate_limit or self.parts.rate_limit(caller),
            connection=connection,
            reservation=reservation,
        )
        if connection is None:
            self._ring(job)
        return job

    def status(self, caller: Caller, job_id: str) -> Job:
        """Read a job of the caller's org, settled if its deadline has passed.

        Raises `JobNotFound` or `DatabaseUnavailable`.
        """
        if not _is_canonical_uuid(job_id):
            raise JobNotFound
        job = self.parts.intake.find(caller.org_id, job_id)
        if job is None:
            raise JobNotFound
        return self.parts.intake.settle(job) if job.is_overdue else job

    def cancel(self, caller: Caller, job_id: str) -> Job:
        """End a job of the caller's org that need not be made any more; return it as it stands.

        A waiting job ends at once; an attempt that runs is stopped at its worker's next heartbeat. Cancelling
        twice is once. Raises `JobNotFound`, `JobAlreadyEnded` or `DatabaseUnavailable`.
        """
        job = self.status(caller, job_id)
        if job.is_active:
            self.parts.intake.cancel(job)
            job = self.status(caller, job_id)  # an erasure may have come between: then there is none
        if job.state is not JobState.CANCELLED:
            raise JobAlreadyEnded(job)
        return job

    def download_url(self, caller: Caller, job_id: str, *, origin: str = "") -> Download:
        """Issue a fresh URL, valid for 300 s, after asking again whether the caller may.

        `origin` is the address at which the endpoints are mounted, for a store that this service itself
        serves. Raises `JobNotFound`, `UserNotPermitted`, `JobNotComplete`, `JobFailed`, `DocumentExpired`,
        `DocumentGone`, `DatabaseUnavailable` or `DocumentsUnavailable`.
        """
        job = self.status(caller, job_id)
        user = self.parts.users.find(job.user_id)
        if user is None:
            raise UserNotPermitted("This organisation may not have a report on this user.")
        self._permit(caller, user)
        if job.status is ApiStatus.FAILED:
            raise JobFailed(job)
        if job.document is None:
            raise JobNotComplete(job)
        if job.document_expired:
            raise DocumentExpired
        if not self.parts.links.holds(job.document):
            _logger.error(
                "job %s: its document is missing from the store, or was changed",
                job.job_id,
                extra=job_fields(job),
            )
            raise DocumentGone
        filename = self.parts.templates.filename(job.template, user, job.job_id)
        url = self.parts.links.url(job.document, filename=filename, expires_s=_URL_LIFETIME_S, origin=origin)
        return Download(url=url, expires_in_s=_URL_LIFETIME_S, filename=filename)

    def _permit(self, caller: Caller, user: User) -> None:
        if not self.parts.users.may_report(caller, user):
            raise UserNotPermitted("This organisation may not have a report on this user.")

    def _ring(self, job: Job) -> None:
        try:
            self.parts.queue.ring(job.job_id)
        except QueueUnavailable as error:
            if self._ringing.is_news():
                _logger.warning("the broker is out of reach, jobs are stored and wait: %s", error)
            _logger.info("job %s is stored; the relay will ring for it", job.job_id, extra=job_fields(job))
        else:
            if (lasted_s := self._ringing.over()) is not None:
                _logger.info("the broker answers again, after %.0f s", lasted_s)


def _is_canonical_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
