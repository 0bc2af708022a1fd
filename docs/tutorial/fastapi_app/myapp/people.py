"""The application's own table of people, as it was before there were reports."""

import os

from sqlalchemy import JSON, Engine, String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    """The application's tables."""


class Person(Base):
    """Somebody who was screened."""

    __tablename__ = "person"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    given_name: Mapped[str]
    family_name: Mapped[str]
    checks: Mapped[list[str]] = mapped_column(JSON)
    orgs: Mapped[list[str]] = mapped_column(JSON)
    """The organisations that this person lets have a report."""


def make_engine() -> Engine:
    """Open the application's database."""
    return create_engine(os.environ.get("MYAPP_DATABASE_URL", "sqlite:///app.db"))


def add_people(engine: Engine, *people: Person) -> None:
    """Create the table where there is none, and store these people."""
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        for person in people:
            session.merge(person)


if __name__ == "__main__":
    checks = ["Identity: passed", "Right to work: passed", "Address: two years confirmed"]
    add_people(
        make_engine(),
        Person(id="US1", given_name="Jo", family_name="Bloggs", checks=checks, orgs=["acme"]),
        Person(id="US2", given_name="Zoë", family_name="<b>Quill</b>", checks=[], orgs=["acme"]),
        Person(id="US3", given_name="Max", family_name="Private", checks=checks, orgs=[]),
    )
