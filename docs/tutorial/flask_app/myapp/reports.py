"""Reports on people: who may have one, what stands in it, and the factory that builds the service."""

from typing import TYPE_CHECKING

from markupsafe import Markup
from pydantic import BaseModel
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from sqr_jobs import Caller, Paragraph, ReportJobs, ReportRequest, Settings, Template, User, build_report_jobs

from myapp.people import Person, make_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reportlab.platypus import Flowable


class Users:
    """Answers the two questions that are asked at every creation and at every download."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, user_id: str) -> User | None:
        """Find a person; None where there is none."""
        with Session(self._engine) as session:
            person = session.get(Person, user_id)
        if person is None:
            return None
        return User(user_id=person.id, given_name=person.given_name, family_name=person.family_name)

    def may_report(self, caller: Caller, user: User) -> bool:
        """Say whether the caller's organisation may have a report on this person now."""
        with Session(self._engine) as session:
            person = session.get(Person, user.user_id)
        return person is not None and caller.org_id in person.orgs


class Screening(BaseModel):
    """What the report shows."""

    name: str
    checks: list[str]


class ScreeningReport(Template[Screening], name="screening", version="v1", language="en"):
    """One page on one person."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def load(self, request: ReportRequest) -> Screening:
        """Fetch the data. This method alone may use the database or the network."""
        with Session(self._engine) as session:
            person = session.get_one(Person, request.user_id)
        return Screening(name=f"{person.given_name} {person.family_name}", checks=person.checks)

    def flowables(self, data: Screening) -> "Iterator[Flowable]":
        """Lay the data out, piece by piece."""
        yield Paragraph(Markup("Screening of <i>{}</i>").format(data.name), "title")
        yield from (Paragraph(check) for check in data.checks)

    def title(self, data: Screening) -> str:
        """Name the document in its metadata, and at the foot of each page."""
        return f"Screening of {data.name}"


def report_jobs() -> ReportJobs:
    """Build the service: for the web process, the command line, workers and the render child alike."""
    engine = make_engine()
    return build_report_jobs(
        Settings(), users=Users(engine), templates=[ScreeningReport(engine)], engine=engine
    )
