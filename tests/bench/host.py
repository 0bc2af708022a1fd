"""The host that is measured: the library's factory, its template, and its two applications."""

from typing import TYPE_CHECKING

from sqr_jobs import Caller, Paragraph, ReportJobs, ReportRequest, Settings, Template, User, build_report_jobs
from tests.bench.content import Content, content_of, flowables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI
    from flask import Flask
    from reportlab.platypus import Flowable

__all__ = ["FACTORY", "People", "Report", "fastapi_app", "flask_app", "report_jobs"]

FACTORY = "tests.bench.host:report_jobs"


class People:
    """A directory that costs nothing: everyone exists, and may be reported on."""

    def find(self, user_id: str) -> User | None:
        """Know everyone."""
        return User(user_id=user_id, given_name="Jo", family_name="Bloggs")

    def may_report(self, caller: Caller, user: User) -> bool:
        """Permit everything."""
        return True


class Report(Template[Content], name="bench", version="v1", language="en"):
    """The report through the library."""

    def load(self, request: ReportRequest) -> Content:
        return content_of(request.user_id)

    def flowables(self, data: Content) -> "Iterator[Flowable]":
        return flowables(data, Paragraph)

    def title(self, data: Content) -> str:
        return data.title


def report_jobs() -> ReportJobs:
    """Build the service from `SQR_JOBS_*`."""
    return build_report_jobs(Settings(), users=People(), templates=[Report()])


def fastapi_app() -> "FastAPI":
    """Mount it in FastAPI."""
    from fastapi import FastAPI

    from sqr_jobs_fastapi import create_router

    app = FastAPI()
    app.include_router(create_router(report_jobs))
    return app


def flask_app() -> "Flask":
    """Mount it in Flask."""
    from flask import Flask

    from sqr_jobs_flask import create_blueprint

    app = Flask(__name__)
    app.register_blueprint(create_blueprint(report_jobs))
    return app
