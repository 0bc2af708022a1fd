"""The sample host in a FastAPI application."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient

from sqr_jobs import ReportJobs
from sqr_jobs.wiring import system_of
from sqr_jobs_fastapi import create_router
from tests.http.clients import HOST, Client, Reply, Stream, recording, reply_of

__all__ = ["client", "nested", "together"]


class _FastApiClient(Client):
    def __init__(self, app: FastAPI, reports: ReportJobs, **where: Any) -> None:
        super().__init__(reports, **where)
        self.app = app
        self.test_client = TestClient(
            app, base_url=f"http://{HOST}", root_path=self.root, follow_redirects=False
        )

    def _send(self, method: str, path: str, headers: list[tuple[str, str]], content: bytes | None) -> Reply:
        coded = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        answer = self.test_client.request(method, path, headers=coded, content=content)
        return reply_of(answer.status_code, answer.headers.multi_items(), answer.content)

    def stream(self, path: str, headers: dict[str, str], body: Stream, *, length: int | None) -> Reply:
        sized = {"Content-Length": str(length)} if length is not None else {"Transfer-Encoding": "chunked"}
        sent = {**headers, "Host": HOST, **sized}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": self.root,
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
            "server": (HOST, 80),
            "client": ("192.0.2.1", 4711),
        }
        messages: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            chunk = body.chunk()
            if not chunk and body.hangs_up:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": chunk, "more_body": bool(chunk)}

        async def send(message: Any) -> None:
            messages.append(message)

        asyncio.run(self.app(scope, receive, send))
        pairs = [(name.decode(), value.decode()) for name, value in messages[0]["headers"]]
        return reply_of(
            messages[0]["status"], pairs, b"".join(part.get("body", b"") for part in messages[1:])
        )


@contextmanager
def client(
    factory: Callable[[], ReportJobs] | ReportJobs,
    *,
    caller: Any = None,
    lifespan: bool = True,
    **where: Any,
) -> Iterator[Client]:
    """Mount in a FastAPI application and run its lifespan, unless told that nobody does."""
    made, remembering = recording(factory)
    app = FastAPI()
    app.include_router(create_router(remembering, caller=caller))
    made_client = _FastApiClient(app, made(), **where)
    if not lifespan:
        try:
            yield made_client
        finally:
            made_client.reports.stop()
        return
    with made_client.test_client:
        yield made_client


def nested(reports: ReportJobs, outer: str) -> Client:
    """Mount below another router."""
    app = FastAPI()
    around = APIRouter(prefix=outer)
    around.include_router(create_router(reports))
    app.include_router(around)
    return _FastApiClient(app, reports, prefix=outer + system_of(reports).settings.prefix)


def together(made: list[ReportJobs]) -> list[Client]:
    """Mount several services in one application."""
    app = FastAPI()
    for reports in made:
        app.include_router(create_router(reports))
    return [_FastApiClient(app, reports, prefix=system_of(reports).settings.prefix) for reports in made]
