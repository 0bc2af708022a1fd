"""What a mount adds to the host's application: documented operations, the file route, nothing else."""

import importlib
from typing import Any

import pytest

from sqr_jobs.web import FILES_PATH
from sqr_jobs.web.openapi import openapi_document
from tests.host.reports import report_jobs

_PREFIX = "/reports"
_LOCAL: dict[str, Any] = {}
_BUCKET = {
    "s3_bucket": "reports",
    "s3_region": "eu-west-1",
    "s3_access_key_id": "an id",
    "s3_secret_access_key": "a secret",
}

Routes = set[tuple[str, str]]


def _flask_routes() -> Routes:
    """Read an application's whole map; HEAD beside a GET, and OPTIONS, are Flask's own doing."""
    app = importlib.import_module("flask").Flask("tests.http", static_folder=None)
    app.register_blueprint(importlib.import_module("sqr_jobs_flask").create_blueprint(report_jobs))
    return {
        (method, str(rule).replace("<", "{").replace(">", "}"))
        for rule in app.url_map.iter_rules()
        for method in rule.methods - ({"HEAD", "OPTIONS"} if "GET" in rule.methods else {"OPTIONS"})
    }


def _fastapi_routes() -> Routes:
    """Read the router's whole list; a mount, a socket or a router, which have no methods, show their kind."""
    router = importlib.import_module("sqr_jobs_fastapi").create_router(report_jobs)
    return {
        (method, getattr(route, "path", ""))
        for route in router.routes
        for method in getattr(route, "methods", None) or {type(route).__name__}
    }


@pytest.mark.parametrize("has_cancel", [False, True], ids=["no cancel route", "cancel route"])
@pytest.mark.parametrize("documents", [_LOCAL, _BUCKET], ids=["folder", "bucket"])
def test_what_is_mounted_is_what_the_document_names_and_the_file_route(
    framework: str, configure: Any, documents: dict[str, Any], has_cancel: bool
) -> None:
    """OWASP API9: a route that no document names is one that nobody guards."""
    configure(prefix=_PREFIX, cancel_route=has_cancel, **documents)
    named = openapi_document(_PREFIX, has_cancel=has_cancel)["paths"]
    documented = {(method.upper(), path) for path, methods in named.items() for method in methods}
    assert len(documented) == 3 + has_cancel
    mounted = _flask_routes() if framework == "flask" else _fastapi_routes()
    assert mounted == documented | {("GET", _PREFIX + FILES_PATH)}
