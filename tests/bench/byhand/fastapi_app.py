"""The hand-written service in FastAPI."""

from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Header, Request, Response
from fastapi.responses import JSONResponse

from tests.bench.byhand.config import PLAIN_PREFIX, PREFIX, Config
from tests.bench.byhand.queues import enqueuer
from tests.bench.byhand.service import CreateBody, Refused, Service

__all__ = ["create_app"]

Authorization = Annotated[str | None, Header()]


def create_app() -> FastAPI:
    """Mount it twice: with all that the contract asks for, and plain."""
    config = Config.from_environment()
    enqueue = enqueuer(config)
    app = FastAPI()
    app.include_router(_router(Service(config, enqueue=enqueue), PREFIX))
    app.include_router(_router(Service(config, enqueue=enqueue, is_plain=True), PLAIN_PREFIX))

    @app.exception_handler(Refused)
    def refused(_request: Request, refusal: Refused) -> JSONResponse:
        problem = {"type": "about:blank", "status": refusal.status, "code": refusal.code}
        return JSONResponse(problem, refusal.status, media_type="application/problem+json")

    return app


def _router(service: Service, prefix: str) -> APIRouter:
    router = APIRouter(prefix=prefix)

    @router.post("", status_code=202)
    def create(
        body: CreateBody, request: Request, response: Response, authorization: Authorization = None
    ) -> dict[str, Any]:
        answer, headers = service.create(service.org_of(authorization), body.user_id)
        response.headers.update({**headers, "Location": f"{request.url.path}/{answer['jobId']}"})
        return answer

    @router.get("/{job_id}")
    def status(job_id: str, response: Response, authorization: Authorization = None) -> dict[str, Any]:
        response.headers["Cache-Control"] = "no-store"
        return service.status(service.org_of(authorization), job_id)

    @router.get("/{job_id}/url")
    def download_url(
        job_id: str, request: Request, response: Response, authorization: Authorization = None
    ) -> dict[str, Any]:
        response.headers["Cache-Control"] = "no-store"
        return service.download_url(service.org_of(authorization), job_id, str(request.base_url))

    return router
