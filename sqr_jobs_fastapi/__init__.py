"""Mounts sqr-jobs in a FastAPI application."""

from sqr_jobs_fastapi.router import create_router

__all__ = ["create_router"]
