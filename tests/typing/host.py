"""A host's code as the README shows it; checked by mypy, not run."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI
from flask import Flask
from markupsafe import Markup
from pydantic import BaseModel
from sqlalchemy import Engine, create_engine

from sqr_jobs import (
    Caller,
    Job,
    Paragraph,
    ReportJobs,
    ReportRequest,
    Settings,
    Template,
    User,
    build_report_jobs,
)
from sqr_jobs_fastapi import create_router
from sqr_jobs_flask import create_blueprint

if TYPE_CHECKING:
    from reportlab.platypus import Flowable


class Screening(BaseModel):
    name: str
    checks: list[str]


class ScreeningReport(Template[Screening], name="screening", version="v2", language="en"):
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def load(self, request: ReportRequest) -> Screening:
        return Screening(name=request.user_id, checks=[])

    def flowables(self, data: Screening) -> "Iterator[Flowable]":
        yield Paragraph(Markup("Screening of <b>{}</b>").format(data.name))
        yield from (Paragraph(check) for check in data.checks)


class Users:
    def find(self, user_id: str) -> User | None:
        return User(user_id=user_id, given_name="Jo", family_name="Bloggs")

    def may_report(self, caller: Caller, user: User) -> bool:
        return caller.org_id == user.user_id


def report_jobs() -> ReportJobs:
    engine = create_engine("sqlite:///app.db")
    return build_report_jobs(
        Settings(rate_limit=20), users=Users(), templates=[ScreeningReport(engine)], engine=engine
    )


def current_caller() -> Caller:
    return Caller(org_id="acme")


fastapi = FastAPI()
fastapi.include_router(create_router(report_jobs, caller=Depends(current_caller)))
flask = Flask("app")
flask.register_blueprint(create_blueprint(report_jobs, caller=current_caller))


def in_the_hosts_transaction(reports: ReportJobs, engine: Engine) -> Job:
    with engine.begin() as connection:
        return reports.create(current_caller(), user_id="U1", connection=connection)
