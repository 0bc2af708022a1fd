"""A factory of a host's, mounted in an application of each framework, for web servers to load by its name."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqr_jobs import ReportJobs

if TYPE_CHECKING:
    from fastapi import FastAPI
    from flask import Flask

__all__ = ["in_fastapi", "in_flask"]


def in_fastapi(factory: Callable[[], ReportJobs]) -> "FastAPI":
    """Mount it in FastAPI."""
    from fastapi import FastAPI

    from sqr_jobs_fastapi import create_router

    app = FastAPI()
    app.include_router(create_router(factory))
    return app


def in_flask(factory: Callable[[], ReportJobs]) -> "Flask":
    """Mount it in Flask."""
    from flask import Flask

    from sqr_jobs_flask import create_blueprint

    app = Flask(__name__)
    app.register_blueprint(create_blueprint(factory))
    return app
