"""The endpoints: one definition for every framework."""

import os
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote, unquote, urlsplit

from sqr_jobs.domain.caller import USER_ID_LENGTH, Caller
from sqr_jobs.domain.filenames import content_disposition
from sqr_jobs.domain.job import Job, Reservation
from sqr_jobs.errors import (
    DocumentsUnavailable,
    InsufficientScope,
    LinkRefused,
    RateLimited,
    RequestInvalid,
    Unauthenticated,
)
from sqr_jobs.ports import Authenticator, LocalDocuments, Quota
from sqr_jobs.report_jobs import ReportJobs
from sqr_jobs.web.bodies import SentBody, check_headers, too_large
from sqr_jobs.web.messages import HttpReply, HttpRequest
from sqr_jobs.web.models import DownloadUrl, ReportJob
from sqr_jobs.web.problems import poll_again_s, problem_reply

__all__ = ["FILES_PATH", "Endpoints"]

_ACCEPTED = 202

FILES_PATH = "/files/document"
"""Where, below the prefix, the local document store's links lead."""


class Endpoints:
    """Plain synchronous methods from request to reply; they never raise.

    The first request starts the embedded worker, where nothing has yet.

    `prefix` is the path under which the host mounts them. The order of the checks is the contract's.
    """

    def __init__(
        self,
        reports: ReportJobs,
        *,
        authenticator: Authenticator | None,
        prefix: str,
        max_body_bytes: int,
        user_id_max: int = USER_ID_LENGTH,
        create_scope: str | None = None,
        read_scope: str | None = None,
        public_url: str | None = None,
        support_contact: str | None = None,
        local_documents: LocalDocuments | None = None,
        has_cancel: bool = False,
    ) -> None:
        self.reports = reports
        self.prefix = prefix
        self.max_body_bytes = max_body_bytes
        self._user_id_max = user_id_max
        self.has_cancel = has_cancel
        self._authenticator = authenticator
        self._create_scope = create_scope
        self._read_scope = read_scope
        self._public_url = public_url.rstrip("/") if public_url else None
        self._support_contact = support_contact
        self._local_documents = local_documents

    @property
    def needs_caller(self) -> bool:
        """Whether the host must bring its own login, because no token can be judged here."""
        return self._authenticator is None

    def judge(self, request: HttpRequest) -> HttpRequest | HttpReply:
        """Judge a creation by its headers, before its body is read: caller, scope, media type, length.

        Returns the refusal, or the request with its caller, which `create` then takes with the body. For
        adapters that read a body elsewhere than in the thread that calls; `create` judges all by itself.
        """
        try:
            return replace(request, caller=self._judged(request))
        except Exception as error:  # noqa: BLE001 - every error has an answer in the table
            return self._problem(self._as_seen(request, ""), error)

    def create(self, request: HttpRequest) -> HttpReply:
        """`POST prefix`: store a job."""
        return self._answer(request, "", self._create)

    def status(self, request: HttpRequest, job_id: str) -> HttpReply:
        """`GET prefix/{id}`: tell how a job stands."""
        return self._answer(request, f"/{job_id}", lambda seen: self._status(seen, job_id))

    def cancel(self, request: HttpRequest, job_id: str) -> HttpReply:
        """`DELETE prefix/{id}`, where `has_cancel` says so: end a job that need not be made any more."""
        return self._answer(request, f"/{job_id}", lambda seen: self._cancel(seen, job_id))

    def download_url(self, request: HttpRequest, job_id: str) -> HttpReply:
        """`GET prefix/{id}/url`: issue a fresh URL."""
        return self._answer(request, f"/{job_id}/url", lambda seen: self._download_url(seen, job_id))

    def file(self, request: HttpRequest) -> HttpReply:
        """`GET prefix/files/document`: serve a signed link of the local document store."""
        return self._answer(request, FILES_PATH, self._file)

    def _judged(self, request: HttpRequest) -> Caller:
        caller = self._caller(request, self._create_scope)
        check_headers(request.headers, max_body_bytes=self.max_body_bytes)
        return caller

    def _create(self, request: HttpRequest) -> HttpReply:
        caller = self._judged(request)
        sent = request.body() if callable(request.body) else request.body
        if sent is None:
            raise RequestInvalid("The body ended before it was complete.")
        if len(sent) > self.max_body_bytes:
            raise too_large(self.max_body_bytes)
        sent_key = request.headers.get("idempotency-key")
        body = SentBody(sent, sent_key, user_id_max=self._user_id_max)
        key = body.idempotency_key()
        if key is None:
            return self._admit_and_create(request, caller, body, None)
        try:
            found = self.reports.reserve(caller, key)
        except RateLimited as refusal:
            return self._with_quota(self._problem(request, refusal), _spent(refusal))
        if isinstance(found, Job):
            return self._accepted(request, found)
        reply = self._admit_and_create(request, caller, body, found)
        if reply.status != _ACCEPTED:
            self.reports.release(found)
        return reply

    def _admit_and_create(
        self,
        request: HttpRequest,
        caller: Caller,
        body: SentBody,
        reservation: Reservation | None,
    ) -> HttpReply:
        """Count the request, then create. Every answer from here on tells what the org has left."""
        quota: Quota | None = None
        try:
            quota = self.reports.admit(caller)
            asked = body.valid()
            job = self.reports.create(
                caller,
                user_id=asked.user_id,
                deadline_s=asked.export_deadline,
                document_lifetime_s=asked.output_ttl,
                reservation=reservation,
                rate_limit=quota.rate_limit,
            )
        except RateLimited as refusal:
            return self._with_quota(self._problem(request, refusal), _spent(refusal))
        except Exception as error:  # noqa: BLE001 - every error has an answer in the table
            headers = _left(quota) if quota is not None else {}
            return self._with_quota(self._problem(request, error), headers)
        return self._with_quota(self._accepted(request, job), _left(quota))

    def _accepted(self, request: HttpRequest, job: Job) -> HttpReply:
        headers = {
            "Location": f"{_quoted(request.path)}/{job.job_id}",
            "Retry-After": str(poll_again_s(age_ms=0)),
        }
        return _json(_ACCEPTED, ReportJob.of(job).json_bytes(), headers)

    def _status(self, request: HttpRequest, job_id: str) -> HttpReply:
        job = self.reports.status(self._caller(request, self._read_scope), job_id)
        return _json(200, ReportJob.of(job).json_bytes(), _polling(job))

    def _cancel(self, request: HttpRequest, job_id: str) -> HttpReply:
        job = self.reports.cancel(self._caller(request, self._create_scope), job_id)
        return _json(200, ReportJob.of(job).json_bytes(), {})

    def _download_url(self, request: HttpRequest, job_id: str) -> HttpReply:
        caller = self._caller(request, self._read_scope)
        base = request.origin + _quoted(request.path.removesuffix(f"/{job_id}/url"))
        download = self.reports.download_url(caller, job_id, origin=base)
        body = DownloadUrl(
            url=download.url, expires_in_seconds=download.expires_in_s, filename=download.filename
        )
        return _json(200, body.json_bytes(), {})

    def _file(self, request: HttpRequest) -> HttpReply:
        if self._local_documents is None:
            raise LinkRefused
        path, filename = self._local_documents.open_link(request.query)
        try:
            file = path.open("rb")
        except FileNotFoundError:  # deleted since the link was looked at
            raise LinkRefused from None
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else type(error).__name__
            raise DocumentsUnavailable(f"The document could not be opened ({reason}).") from None
        headers = {
            "Content-Type": "application/pdf",
            "Content-Disposition": content_disposition(filename),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return HttpReply(status=200, headers=headers, body=file)

    def _caller(self, request: HttpRequest, scope: str | None) -> Caller:
        caller = request.caller
        if caller is None:
            if self._authenticator is None:
                raise Unauthenticated("the host's own login gave no caller", token_sent=False)
            caller = self._authenticator.authenticate(request.headers)
        if scope is not None and scope not in caller.scopes:
            raise InsufficientScope(scope)
        return caller

    def _answer(
        self, request: HttpRequest, below: str, endpoint: Callable[[HttpRequest], HttpReply]
    ) -> HttpReply:
        seen = self._as_seen(request, below)
        try:
            self.reports.start()
            return endpoint(seen)
        except Exception as error:  # noqa: BLE001 - every error has an answer in the table
            return self._problem(seen, error)

    def _as_seen(self, request: HttpRequest, below: str) -> HttpRequest:
        """Give the request the address that its client asked for, of which all others are made.

        A proxy may have taken a part of the path away or put one before it; the public URL says so.
        """
        if self._public_url is None:
            return replace(request, path=request.path.rstrip("/"))  # a host may route both
        scheme, host, root, *_ = urlsplit(self._public_url)
        return replace(request, path=unquote(root) + self.prefix + below, origin=f"{scheme}://{host}")

    def _problem(self, request: HttpRequest, error: Exception) -> HttpReply:
        return problem_reply(error, instance=_quoted(request.path), support=self._support_contact)

    @staticmethod
    def _with_quota(reply: HttpReply, headers: dict[str, str]) -> HttpReply:
        reply.headers.update(headers)
        return reply


def _quoted(path: str) -> str:
    """Write a decoded path as a URI reference (RFC 3986), which is ASCII: headers take nothing else."""
    return quote(path, safe="/:@!$&'()*+,;=~")


def _json(status: int, body: bytes, headers: dict[str, str]) -> HttpReply:
    return HttpReply(
        status=status,
        headers={"Content-Type": "application/json", "Cache-Control": "no-store", **headers},
        body=body,
    )


def _polling(job: Job) -> dict[str, str]:
    if not job.is_active:
        return {}
    return {"Retry-After": str(poll_again_s(age_ms=job.as_of - job.created_at))}


def _left(quota: Quota) -> dict[str, str]:
    return _quota_headers(quota.limit, quota.window_s, quota.remaining, quota.reset_s)


def _spent(refusal: RateLimited) -> dict[str, str]:
    return _quota_headers(refusal.limit, refusal.window_s, 0, refusal.retry_after_s)


def _quota_headers(limit: int, window_s: int, remaining: int, reset_s: int) -> dict[str, str]:
    """Write the fields of draft-ietf-httpapi-ratelimit-headers."""
    return {
        "RateLimit-Policy": f'"org";q={limit};w={window_s}',
        "RateLimit": f'"org";r={remaining};t={reset_s}',
    }
