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
    "ORG",
    "SCOPES",
    "fastapi_app",
    "flask_app",
    "report_jobs",
    "state_folder",
]

FACTORY = "sqr_jobs.demo.app:report_jobs"
ISSUER, AUDIENCE = "sqr-jobs-demo", "sqr-jobs-demo-api"
SCOPES = ("reports:create", "reports:read")
ORG = "acme"
"""The org that the demo's page and its printed token speak for."""


def state_folder() -> Path:
    """Find where the demo keeps its database, documents and keys: `SQR_JOBS_DATA_DIR`, else the user's."""
    given = os.environ.get("SQR_JOBS_DATA_DIR", "").strip()  # as the settings read it
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
    """Mount the service, and the page that tries it, in a FastAPI application."""
    from fastapi import FastAPI, Request, Response  # noqa: PLC0415 - one framework is enough for the demo

    from sqr_jobs.demo.front_page import FrontPage  # noqa: PLC0415
    from sqr_jobs_fastapi import create_router  # noqa: PLC0415

    app = FastAPI(title="sqr-jobs demo")
    router = create_router(report_jobs)
    app.include_router(router)
    front_page = FrontPage(prefix=router.prefix)

    def page(request: Request) -> Response:
        client = request.client.host if request.client else None
        status, headers, body = front_page.reply(request.url.path, request.headers, client)
        return Response(body, status, headers)

    for path in ("/", "/demo/{name}"):
        app.add_api_route(path, page, methods=["GET", "HEAD"], include_in_schema=False)
    return app


def flask_app() -> "Flask":
    """Mount the service, and the page that tries it, in a Flask application."""
    from flask import Flask, Response, request  # noqa: PLC0415

    from sqr_jobs.demo.front_page import FrontPage  # noqa: PLC0415
    from sqr_jobs_flask import create_blueprint  # noqa: PLC0415

    app = Flask("sqr_jobs_demo", static_folder=None)
    blueprint = create_blueprint(report_jobs)
    app.register_blueprint(blueprint)
    front_page = FrontPage(prefix=blueprint.url_prefix or "")

    def page(**_name: str) -> Response:
        asked = {name.lower(): value for name, value in request.headers.items()}
        status, headers, body = front_page.reply(request.path, asked, request.remote_addr)
        return Response(body, status, headers)

    for path in ("/", "/demo/<name>"):
        app.add_url_rule(path, view_func=page)
    return app
