"""A host of its own: the factory, and two small applications that mount it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqr_jobs import ReportJobs, Settings, build_report_jobs
from sqr_jobs.demo.people import DemoUsers
from sqr_jobs.demo.screening import ScreeningV1, ScreeningV2
from sqr_jobs.key_file import key_file

if TYPE_CHECKING:
    from fastapi import FastAPI
    from flask import Flask

__all__ = [
    "AUDIENCE",
    "FACTORY",
    "ISSUER",
    "SCOPES",
    "fastapi_app",
    "flask_app",
    "report_jobs",
    "state_folder",
]

FACTORY = "sqr_jobs.demo.app:report_jobs"
ISSUER, AUDIENCE = "sqr-jobs-demo", "sqr-jobs-demo-api"
SCOPES = ("reports:create", "reports:read")


def state_folder() -> Path:
    """Find where the demo keeps its database, documents and keys: `SQR_JOBS_DATA_DIR`, else the user's."""
    given = os.environ.get("SQR_JOBS_DATA_DIR")
    if given:
        return Path(given)
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "sqr-jobs-demo"


def report_jobs() -> ReportJobs:
    """Build the demo's service. `SQR_JOBS_*` variables win over what the demo would choose."""
    choices: dict[str, Any] = {
        "factory": FACTORY,
        "data_dir": state_folder(),
        "create_scope": SCOPES[0],
        "read_scope": SCOPES[1],
        "shutdown_grace_s": 3.0,
    }
    if not any(name in os.environ for name in ("SQR_JOBS_JWT_KEY", "SQR_JOBS_JWT_JWKS_URL")):
        key = key_file(state_folder() / "token-key").decode()
        choices |= {
            "jwt_key": key,
            "jwt_algorithms": ("HS256",),
            "jwt_issuer": ISSUER,
            "jwt_audience": AUDIENCE,
        }
    chosen = {name: value for name, value in choices.items() if f"SQR_JOBS_{name.upper()}" not in os.environ}
    return build_report_jobs(Settings(**chosen), users=DemoUsers(), templates=[ScreeningV1(), ScreeningV2()])


def fastapi_app() -> "FastAPI":
    """Mount the service in a FastAPI application."""
    from fastapi import FastAPI  # noqa: PLC0415 - one framework is enough to run the demo

    from sqr_jobs_fastapi import create_router  # noqa: PLC0415

    app = FastAPI(title="sqr-jobs demo")
    app.include_router(create_router(report_jobs))
    return app


def flask_app() -> "Flask":
    """Mount the service in a Flask application."""
    from flask import Flask  # noqa: PLC0415

    from sqr_jobs_flask import create_blueprint  # noqa: PLC0415

    app = Flask("sqr_jobs_demo")
    app.register_blueprint(create_blueprint(report_jobs))
    return app
