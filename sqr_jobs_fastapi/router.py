"""The router: reads the request, calls the endpoints, translates the reply."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, BinaryIO

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.params import Depends as DependsMarker
from fastapi.responses import Response, StreamingResponse
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from sqr_jobs.domain.caller import Caller
from sqr_jobs.report_jobs import ReportJobs
from sqr_jobs.web import HttpReply, HttpRequest, chunks
from sqr_jobs.web.endpoints import FILES_PATH, Endpoints
from sqr_jobs.web.openapi import operations
from sqr_jobs.wiring import mount, system_of

__all__ = ["create_router"]


def create_router(report_jobs: Callable[[], ReportJobs] | ReportJobs, *, caller: Any = None) -> APIRouter:
    """Make the router of the three endpoints: `app.include_router(create_router(report_jobs))`.

    `report_jobs` is the host's factory, or what it returned where `SQR_JOBS_FACTORY` names it.
    `caller=Depends(current_caller)` replaces the token check by the host's own login, which returns a
    `Caller` or raises what the host answers. The router's lifespan starts and stops the embedded worker.
    Raises `ConfigurationError`.
    """
    endpoints = mount(report_jobs, has_own_login=caller is not None)
    if caller is not None and not isinstance(caller, DependsMarker):
        caller = Depends(caller)
    who = caller if caller is not None else Depends(_nobody)
    # Tells the host's document of the token; what judges it are the endpoints.
    documented = [] if caller is not None else [Depends(_BEARER)]

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(endpoints.reports.start)
        yield
        await run_in_threadpool(endpoints.reports.stop)

    router = APIRouter(prefix=endpoints.prefix, lifespan=lifespan)

    async def create(request: Request, caller: Caller | None = who) -> Response:
        return _reply(await _create(endpoints, request, caller))

    def status(request: Request, caller: Caller | None = who) -> Response:
        return _reply(endpoints.status(_request(request, caller), request.path_params["id"]))

    def download_url(request: Request, caller: Caller | None = who) -> Response:
        return _reply(endpoints.download_url(_request(request, caller), request.path_params["id"]))

    def cancel(request: Request, caller: Caller | None = who) -> Response:
        return _reply(endpoints.cancel(_request(request, caller), request.path_params["id"]))

    def file(request: Request) -> Response:
        return _reply(endpoints.file(_request(request, None)))

    router.add_api_route(FILES_PATH, file, methods=["GET"], include_in_schema=False)
    routes: list[tuple[str, str, Callable[..., Response | Awaitable[Response]], str]] = [
        ("", "POST", create, "create"),
        ("/{id}", "GET", status, "status"),
        ("/{id}/url", "GET", download_url, "url"),
    ]
    if endpoints.has_cancel:
        routes.append(("/{id}", "DELETE", cancel, "cancel"))
    system = system_of(endpoints.reports)
    described = operations(
        rate_window_s=system.quotas.common_window_s, user_id_max=system.settings.user_id_max
    )
    for path, method, endpoint, name in routes:
        router.add_api_route(
            path,
            endpoint,
            methods=[method],
            response_model=None,
            dependencies=documented,
            **described[name],
        )
    return router


_BEARER = HTTPBearer(scheme_name="bearer", bearerFormat="JWT", auto_error=False)


async def _nobody() -> None:
    """Stand where a host's own login would; a plain function would cost a thread of the pool."""


async def _create(endpoints: Endpoints, request: Request, caller: Caller | None) -> HttpReply:
    """Read the body after the headers were judged, and here, where a slow one holds no thread."""
    judged = await run_in_threadpool(endpoints.judge, _request(request, caller))
    if isinstance(judged, HttpReply):
        return judged
    body = await _body(request, endpoints.max_body_bytes)
    return await run_in_threadpool(endpoints.create, replace(judged, body=body))


async def _body(request: Request, limit: int) -> bytes | None:
    """Read one byte past the limit at most; None when the client hung up."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk[: limit + 1 - len(body)]
            if len(body) > limit:
                break
    except ClientDisconnect:
        return None
    return bytes(body)


def _request(request: Request, caller: Caller | None) -> HttpRequest:
    path, root = request.scope["path"], request.scope.get("root_path", "")
    if not path.startswith(f"{root}/"):  # ASGI says that it does, and not every server follows
        path = root + path
    return HttpRequest(
        path=path,
        origin=f"{request.url.scheme}://{request.url.netloc}",
        headers=_joined(request.headers.items()),
        query=_single(request.query_params.multi_items()),
        caller=caller,
    )


def _joined(items: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Join a header that was sent twice, as RFC 9110 reads it, so that no token hides behind another."""
    headers: dict[str, str] = {}
    for name, value in items:
        name = name.lower()  # noqa: PLW2901
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _single(items: list[tuple[str, str]]) -> dict[str, str]:
    """Take the query's fields; one given twice spoils its name, so that no link with it holds."""
    query = dict(items)
    return query if len(query) == len(items) else {}


def _reply(reply: HttpReply) -> Response:
    if isinstance(reply.body, bytes):
        return Response(reply.body, status_code=reply.status, headers=reply.headers)
    return _FileResponse(reply.body, reply.headers)


class _FileResponse(StreamingResponse):
    """Sends an open file, and closes it at once where the client hangs up, which Starlette does not."""

    def __init__(self, file: BinaryIO, headers: dict[str, str]) -> None:
        size, self._pieces = chunks(file)
        super().__init__(self._pieces, headers={**headers, "Content-Length": str(size)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._pieces.close()
