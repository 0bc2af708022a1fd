"""A web process that dies in the one instant that no queue survives: after the commit, before the message."""

import os
import signal

from fastapi import FastAPI

from sqr_jobs.wiring import system_of
from sqr_jobs_fastapi import create_router
from tests.host.reports import report_jobs

__all__ = ["create_app"]


def create_app() -> FastAPI:
    """Mount the sample host's reports with a doorbell that kills the process."""
    reports = report_jobs()
    system_of(reports).queue.ring = _die
    app = FastAPI()
    app.include_router(create_router(reports))
    return app


def _die(_job_id: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
