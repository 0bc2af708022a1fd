"""The endpoints in front of any WSGI application: what an adapter for another framework has to do."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from sqr_jobs import ReportJobs, mount
from sqr_jobs.web import FILES_PATH, Endpoints, HttpReply, HttpRequest, chunks

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def in_front_of(other: Wsgi, report_jobs: Callable[[], ReportJobs]) -> Wsgi:
    """Answer the endpoints' own paths, and leave all others to `other`."""
    endpoints = mount(report_jobs, has_own_login=False)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1")
        request_path = path.decode("utf-8", "replace")
        before, prefix, below = request_path.partition(endpoints.prefix)
        answer = _route(endpoints, environ["REQUEST_METHOD"], below)
        if not prefix or before != environ.get("SCRIPT_NAME", "") or answer is None:
            return other(environ, start_response)
        return _send(answer(_request(environ, request_path, endpoints.max_body_bytes)), start_response)

    return app


def _route(endpoints: Endpoints, method: str, below: str) -> Callable[[HttpRequest], HttpReply] | None:
    if (method, below) == ("GET", FILES_PATH):
        return endpoints.file
    match method, below.split("/"):
        case "POST", [""]:
            return endpoints.create
        case "GET", ["", job_id]:
            return lambda request: endpoints.status(request, job_id)
        case "GET", ["", job_id, "url"]:
            return lambda request: endpoints.download_url(request, job_id)
    return None


def _request(environ: dict[str, Any], path: str, limit: int) -> HttpRequest:
    headers = {name[5:].replace("_", "-").lower(): environ[name] for name in environ if name[:5] == "HTTP_"}
    fields = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    length = min(int(environ.get("CONTENT_LENGTH") or 0), limit + 1)

    def body() -> bytes | None:
        sent = environ["wsgi.input"].read(length)
        return sent if len(sent) == length else None  # the client hung up

    return HttpRequest(
        path=path,
        origin=f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}",
        headers={**headers, "content-type": environ.get("CONTENT_TYPE", ""), "content-length": str(length)},
        query=dict(fields) if len(dict(fields)) == len(fields) else {},  # given twice, no link holds
        body=body,
    )


def _send(reply: HttpReply, start_response: Callable[..., Any]) -> Iterable[bytes]:
    if isinstance(reply.body, bytes):
        size, body = len(reply.body), iter([reply.body])
    else:
        size, body = chunks(reply.body)
    headers = [*reply.headers.items(), ("Content-Length", str(size))]
    start_response(f"{reply.status} {HTTPStatus(reply.status).phrase}", headers)
    return body
