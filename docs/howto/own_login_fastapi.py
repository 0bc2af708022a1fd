"""A FastAPI mount behind the application's own login."""

from hashlib import sha256
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqr_jobs import Caller
from sqr_jobs_fastapi import create_router

from myapp.reports import report_jobs

TOKENS = {sha256(b"token-of-acme").hexdigest(): "acme"}
"""Stands for a table of yours: the hash of each token, and whose it is."""

Sent = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


def current_caller(sent: Sent) -> Caller:
    """Say who asks, or answer 401 in the application's own words."""
    org = TOKENS.get(sha256(sent.credentials.encode()).hexdigest()) if sent else None
    if org is None:
        raise HTTPException(401, "Please log in.", headers={"WWW-Authenticate": "Bearer"})
    return Caller(org_id=org)


def create_app() -> FastAPI:
    """Mount the endpoints behind it."""
    app = FastAPI()
    app.include_router(create_router(report_jobs, caller=Depends(current_caller)))
    return app
