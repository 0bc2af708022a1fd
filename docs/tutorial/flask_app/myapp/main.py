"""The web application."""

import logging

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session
from sqr_jobs_flask import create_blueprint

from myapp.people import Person, make_engine
from myapp.reports import report_jobs


def create_app() -> Flask:
    """Make the application: its own route, and the three endpoints of the reports."""
    app = Flask(__name__)
    engine = make_engine()

    @app.get("/people")
    def people() -> list[str]:
        with Session(engine) as session:
            return list(session.scalars(select(Person.id).order_by(Person.id)))

    logging.basicConfig(level=logging.INFO)
    app.register_blueprint(create_blueprint(report_jobs))
    return app
