"""Tokens that the sample host accepts."""

import time
from typing import Any

import jwt

from tests.host.reports import KEY

__all__ = ["bearer", "token"]


def token(org: str = "acme", *, expires_s: int = 600, key: str = KEY, **claims: Any) -> str:
    """Sign a token for an org."""
    return jwt.encode({"org": org, "exp": int(time.time()) + expires_s, **claims}, key, algorithm="HS256")


def bearer(org: str = "acme", **claims: Any) -> dict[str, str]:
    """Return the Authorization header of an org's client."""
    return {"Authorization": f"Bearer {token(org, **claims)}"}
