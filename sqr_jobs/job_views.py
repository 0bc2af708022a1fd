"""How an operator is shown jobs and their history, as text and as JSON."""

import re
from collections.abc import Mapping
from typing import TypeAlias

from sqr_jobs.domain.job import Job, JobEvent
from sqr_jobs.domain.states import JobState
from sqr_jobs.web.models import timestamp

__all__ = ["event_fields", "event_line", "job_fields", "job_line", "job_lines"]

Fields: TypeAlias = Mapping[str, str | int | None]
_ERASED = "(erased)"
_TO_THE_SECOND = len("2026-11-22T09:30:00")


def job_line(job: Job) -> str:
    """Show a job in one line of a list."""
    created = timestamp(job.created_at)[:_TO_THE_SECOND] + "Z"
    user, code = job.user_id or _ERASED, job.error_code or ""
    line = f"{job.job_id}  {created}  {job.state:<10}  {job.org_id}  {user}  {job.template}  {code}"
    return _printable(line).rstrip()


def job_lines(job: Job) -> list[str]:
    """Show a job with all that is known of it, a line each."""
    return [
        f"{_in_words(name):<16}{_printable(str(value))}"
        for name, value in job_fields(job).items()
        if value is not None
    ]


def job_fields(job: Job) -> Fields:
    """Show a job as JSON does; what does not apply is None.

    Of an active job also the present time by the database's clock, which is what to hold the others against.
    """
    running, waiting = job.state is JobState.RUNNING, job.state is JobState.RETRY_WAIT
    return {
        "job": job.job_id,
        "service": job.service,
        "org": job.org_id,
        "user": job.user_id or _ERASED,
        "template": str(job.template),
        "state": job.state,
        "error": job.error_code,
        "attempt": job.attempt,
        "failures": job.failures,
        "crashes": job.crashes,
        "created": timestamp(job.created_at),
        "leaseUntil": _at(job.lease_until if running else None),
        "nextTry": _at(job.available_at if waiting else None),
        "deadline": timestamp(job.deadline_at),
        "asOf": _at(job.as_of if job.is_active else None),
        "completed": _at(job.completed_at),
        "expires": _at(job.document_expires_at if job.user_id else None),  # erased: it is gone already
    }


def event_line(event: JobEvent) -> str:
    """Show a transition, with its cause indented below."""
    change = f"{event.from_state or 'new'} -> {event.to_state}"
    at, code = timestamp(event.at), event.error_code or ""
    worker = f"  worker {event.worker}" if event.worker else ""
    line = f"{at}  attempt {event.attempt}  {change} ({event.why})  {code}".rstrip()
    return "\n    ".join([_printable(line + worker), *_printable(_cause(event) or "").splitlines()])


def event_fields(event: JobEvent) -> Fields:
    """Show a transition as JSON does."""
    return {
        "at": timestamp(event.at),
        "from": event.from_state,
        "to": event.to_state,
        "attempt": event.attempt,
        "why": event.why,
        "error": event.error_code,
        "worker": event.worker,
        "cause": _cause(event),
    }


def _cause(event: JobEvent) -> str | None:
    """Name Python's own exceptions without their module, as a traceback does."""
    return event.cause.removeprefix("builtins.") if event.cause else None


def _at(epoch_ms: int | None) -> str | None:
    return None if epoch_ms is None else timestamp(epoch_ms)


def _in_words(name: str) -> str:
    return re.sub("[A-Z]", lambda capital: f" {capital[0].lower()}", name)


def _printable(text: str) -> str:
    """Keep what clients and exceptions said from steering the terminal."""
    return "".join(
        character if character.isprintable() or character == "\n" else "\ufffd" for character in text
    )
