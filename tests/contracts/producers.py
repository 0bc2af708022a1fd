"""Orders and leases for the document producers' contract, and the producers themselves."""

import time
from pathlib import Path

import psutil

from sqr_jobs.adapters.child_producer import ChildProducer
from sqr_jobs.adapters.inline_producer import InlineProducer
from sqr_jobs.documents.template import Catalog
from sqr_jobs.domain.job import Claim, Job, TemplateRef
from sqr_jobs.domain.states import JobState
from sqr_jobs.leases import Lease
from sqr_jobs.ports import DocumentProducer, RenderOrder
from tests.host.reports import FACTORY, Report

__all__ = ["child_producer", "document", "inline_producer", "is_gone", "lease", "order", "render_children"]

REPORT = TemplateRef(name="report", version="v1")
CREATED_AT = 1_763_768_000_123
_MEBIBYTE = 1_048_576


def child_producer(
    *,
    factory: str = FACTORY,
    output_bytes: int = 10 * _MEBIBYTE,
    start_limit_s: float = 60,
    work_dir: Path | None = None,
) -> ChildProducer:
    """Make a producer over render children of the sample host, or of another one."""
    return ChildProducer(
        factory=lambda: factory,
        memory_bytes=256 * _MEBIBYTE,
        output_bytes=output_bytes,
        start_limit_s=start_limit_s,
        work_dir=work_dir,
    )


def inline_producer(*, output_bytes: int = 10 * _MEBIBYTE) -> InlineProducer:
    """Make a producer in this thread, with the sample host's template."""
    return InlineProducer(Catalog([Report()]), output_bytes=output_bytes)


def order(
    user_id: str = "U-OK", *, template: TemplateRef = REPORT, created_at: int = CREATED_AT
) -> RenderOrder:
    """Ask for a report on a user."""
    return RenderOrder(
        job_id=f"job-{user_id}", org_id="acme", user_id=user_id, template=template, created_at=created_at
    )


def lease(*, limit_s: float = 60.0, fence_s: float = 60.0) -> Lease:
    """Make a lease from now on, on the real clock."""
    job = Job(
        job_id="job",
        org_id="acme",
        user_id="U-OK",
        template=REPORT,
        state=JobState.RUNNING,
        attempt=1,
        failures=0,
        crashes=0,
        created_at=0,
        updated_at=0,
        available_at=0,
        deadline_at=300_000,
        document_lifetime_ms=86_400_000,
        as_of=0,
    )
    claim = Claim(job=job, token="t")
    return Lease(claim, claimed_at=time.monotonic(), fence_s=fence_s, limit_s=limit_s, now=time.monotonic)


def document(producer: DocumentProducer, user_id: str = "U-OK") -> bytes:
    """Have a report made, and return its bytes."""
    produced = producer.produce(order(user_id), lease())
    try:
        return produced.file.read()
    finally:
        produced.release()


def render_children() -> list[psutil.Process]:
    """Find the render children of this process that run."""
    return [process for process in psutil.Process().children(recursive=True) if _renders(process)]


def _renders(process: psutil.Process) -> bool:
    try:
        is_ours = "sqr_jobs.documents.child" in process.cmdline()
        return is_ours and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def is_gone(pid: int) -> bool:
    """Say whether a process has ended, waited for or not."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
