"""What the tests of the operators' commands say again and again."""

from collections.abc import Callable

from sqr_jobs import Caller, Job, ReportJobs
from sqr_jobs.domain.job import Claim
from sqr_jobs.wiring import system_of

__all__ = ["Run", "begun", "made", "read"]

Run = Callable[..., tuple[int, str, str]]
"""Runs a command: its exit status, and what it printed on stdout and stderr."""


def made(service: ReportJobs, user_id: str = "U-1", org: str = "acme", *, work: bool = True) -> Job:
    """Create a job, and by default carry it out."""
    created = service.create(Caller(org_id=org), user_id=user_id)
    if work:
        parts = system_of(service).service()
        assert parts.processor.process(created.job_id)
        parts.stop()
    return created


def begun(service: ReportJobs, user_id: str, *, gives_back_for_s: int | None = None) -> Claim:
    """Create a job and begin it; where a time is given, leave it to an attempt that much later."""
    created = made(service, user_id, work=False)
    jobs = system_of(service).service().processor._jobs
    claim = jobs.claim(created.job_id)
    assert claim is not None
    if gives_back_for_s is not None:
        assert jobs.give_back(claim, delay_ms=gives_back_for_s * 1000)
    return claim


def read(service: ReportJobs, job_id: str) -> Job:
    """Read a job of the org acme that is there."""
    found = system_of(service).intake.find("acme", job_id)
    assert found is not None
    return found
