"""A FastAPI application as a host writes it, for `uvicorn --factory`."""

import logging
import os

from fastapi import FastAPI

from sqr_jobs_fastapi import create_router
from tests.host.reports import report_jobs

__all__ = ["create_app"]


def create_app() -> FastAPI:
    """Mount the sample host's reports, with every logger at the level that the test wants."""
    logging.basicConfig(level=os.environ["SQR_TEST_LOG_LEVEL"])
    app = FastAPI()
    app.include_router(create_router(report_jobs))

    @app.get("/host")
    def own() -> str:  # in the pool of threads that the endpoints use too
        return "well"

    return app
