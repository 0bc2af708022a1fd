"""The blueprint: reads the request, calls the endpoints, translates the reply."""

from collections.abc import Callable

from flask import Blueprint, Response, abort, after_this_request, g, request

from sqr_jobs.domain.caller import Caller
from sqr_jobs.report_jobs import ReportJobs
from sqr_jobs.web import HttpReply, HttpRequest, chunks
from sqr_jobs.web.endpoints import FILES_PATH
from sqr_jobs.wiring import mount
from sqr_jobs_flask.request_body import RequestBody

__all__ = ["create_blueprint"]


def create_blueprint(
    report_jobs: Callable[[], ReportJobs] | ReportJobs,
    *,
    caller: Callable[[], Caller] | None = None,
    name: str = "sqr_jobs",
) -> Blueprint:
    """Make the blueprint of the three endpoints: `app.register_blueprint(create_blueprint(report_jobs))`.

    `report_jobs` is the host's factory, or what it returned where `SQR_JOBS_FACTORY` names it.
    `caller=current_caller` replaces the token check by the host's own login, which returns a `Caller` or
    aborts. `name` is the blueprint's. The first request to an endpoint starts the embedded worker, and the
    end of the process stops it. Raises `ConfigurationError`.
    """
    endpoints = mount(report_jobs, has_own_login=caller is not None)
    blueprint = Blueprint(name, __name__, url_prefix=endpoints.prefix)

    @blueprint.before_request
    def take_the_body() -> None:
        g.sqr_jobs_body = RequestBody(endpoints.max_body_bytes)
        after_this_request(g.sqr_jobs_body.leave)

    @blueprint.post("")
    def create() -> Response:
        return _reply(endpoints.create(_request(caller() if caller else None, g.sqr_jobs_body)))

    @blueprint.get("/<id>")
    def status(id: str) -> Response:  # noqa: A002 - the path's own name
        return _reply(endpoints.status(_request(caller() if caller else None), id))

    @blueprint.get("/<id>/url")
    def download_url(id: str) -> Response:  # noqa: A002
        return _reply(endpoints.download_url(_request(caller() if caller else None), id))

    if endpoints.has_cancel:

        @blueprint.delete("/<id>")
        def cancel(id: str) -> Response:  # noqa: A002
            return _reply(endpoints.cancel(_request(caller() if caller else None), id))

    @blueprint.get(FILES_PATH)
    def file() -> Response:
        if request.method == "HEAD":
            abort(405)  # a link is signed for GET; Flask would take HEAD for one
        return _reply(endpoints.file(_request(None)))

    return blueprint


def _request(caller: Caller | None, body: bytes | RequestBody = b"") -> HttpRequest:
    path = request.script_root + request.path
    items = list(request.args.items(multi=True))
    query = dict(items)
    return HttpRequest(
        path=path,
        origin=f"{request.scheme}://{request.host}",
        headers={name.lower(): value for name, value in request.headers.items()},
        query=query if len(query) == len(items) else {},  # a field given twice: no link with it holds
        body=body,
        caller=caller,
    )


def _reply(reply: HttpReply) -> Response:
    if isinstance(reply.body, bytes):
        return Response(reply.body, status=reply.status, headers=reply.headers)
    size, pieces = chunks(reply.body)
    return Response(pieces, headers={**reply.headers, "Content-Length": str(size)})
