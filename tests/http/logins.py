"""A host's own login, in each framework's way."""

import asyncio
import importlib
from collections.abc import Callable
from typing import Any

from sqr_jobs import Caller

__all__ = ["own_login"]

_SCOPES = frozenset({"reports:create", "reports:read"})


def own_login(
    framework: str,
    *,
    scopes: frozenset[str] = _SCOPES,
    style: str = "",
    seen: list[asyncio.AbstractEventLoop] | None = None,
) -> Any:
    """Let in whoever names an org in `X-Org`; refuse everyone else as the host refuses, with a 418.

    `style` is how FastAPI is told: "callable" (the default), "depends", or "async", which notes in `seen` the
    loop it ran on.
    """
    if framework == "fastapi":
        return _fastapi(scopes, style, seen if seen is not None else [])
    return _flask(scopes)


def _flask(scopes: frozenset[str]) -> Callable[[], Caller]:
    flask = importlib.import_module("flask")

    def current_caller() -> Caller:
        org = flask.request.headers.get("X-Org")
        if org is None:
            flask.abort(418)
        return Caller(org_id=org, scopes=scopes)

    return current_caller


def _fastapi(scopes: frozenset[str], style: str, seen: list[asyncio.AbstractEventLoop]) -> Any:
    fastapi = importlib.import_module("fastapi")

    def current_caller(x_org: str | None = fastapi.Header(default=None)) -> Caller:
        if x_org is None:
            raise fastapi.HTTPException(418)
        return Caller(org_id=x_org, scopes=scopes)

    async def current_caller_async(x_org: str | None = fastapi.Header(default=None)) -> Caller:
        seen.append(asyncio.get_running_loop())
        return current_caller(x_org)

    match style:
        case "depends":
            return fastapi.Depends(current_caller)
        case "async":
            return fastapi.Depends(current_caller_async)
    return current_caller
