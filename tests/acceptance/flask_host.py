"""A Flask application as a host writes it, for `gunicorn --preload`."""

import logging
import os
import signal
import sys

from flask import Flask

from sqr_jobs_flask import create_blueprint
from tests.host.reports import report_jobs

__all__ = ["create_app", "create_draining_app"]


def create_app() -> Flask:
    """Mount the sample host's reports, with every logger at the level that the test wants."""
    logging.basicConfig(level=os.environ["SQR_TEST_LOG_LEVEL"])
    app = Flask(__name__)
    app.register_blueprint(create_blueprint(report_jobs))

    @app.get("/host")
    def own() -> str:
        return "well"

    return app


def create_draining_app() -> Flask:
    """Do so for a server without a handler of SIGTERM, as workers.md shows."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    return create_app()
