"""Mounts sqr-jobs in a FastAPI application."""

try:
    from sqr_jobs_fastapi.router import create_router
except ModuleNotFoundError as error:
    if error.name not in ("fastapi", "starlette"):
        raise
    raise ModuleNotFoundError(
        "FastAPI is missing. Install it: pip install 'sqr-jobs[fastapi]'.", name=error.name
    ) from None

__all__ = ["create_router"]
