"""A web process that dies in the one instant that no queue survives: after the commit, before the message."""

import os
import signal

from fastapi import FastAPI
from flask import Flask

from sqr_jobs import ReportJobs
from sqr_jobs.wiring import system_of
from sqr_jobs_fastapi import create_router
from sqr_jobs_flask import create_blueprint
from tests.host.reports import report_jobs

__all__ = ["fastapi", "flask"]


def fastapi() -> FastAPI:
    """Mount the sample host's reports with a doorbell that kills the process."""
    app = FastAPI()
    app.include_router(create_router(_dying()))
    return app


def flask() -> Flask:
    """Mount them likewise."""
    app = Flask(__name__)
    app.register_blueprint(create_blueprint(_dying()))
    return app


def _dying() -> ReportJobs:
    reports = report_jobs()

    def arm() -> None:
        system_of(reports).queue.ring = _die

    arm()
    os.register_at_fork(after_in_child=arm)  # which has a doorbell of its own
    return reports


def _die(_job_id: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
