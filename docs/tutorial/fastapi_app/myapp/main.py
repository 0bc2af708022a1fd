"""The web application."""

import logging

from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.orm import Session
from sqr_jobs_fastapi import create_router

from myapp.people import Person, make_engine
from myapp.reports import report_jobs


def create_app() -> FastAPI:
    """Make the application: its own route, and the three endpoints of the reports."""
    app = FastAPI(title="My app")
    engine = make_engine()

    @app.get("/people")
    def people() -> list[str]:
        with Session(engine) as session:
            return list(session.scalars(select(Person.id).order_by(Person.id)))

    logging.basicConfig(level=logging.INFO)
    app.include_router(create_router(report_jobs))
    return app
