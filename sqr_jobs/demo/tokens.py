"""Tokens that the demo's own server accepts."""

import time
from pathlib import Path

import jwt

from sqr_jobs.demo.app import AUDIENCE, ISSUER, SCOPES
from sqr_jobs.errors import ConfigurationError
from sqr_jobs.key_file import key_file

__all__ = ["issue"]

_MAX_ORG = 255


def issue(folder: Path, org: str, *, scope: str = " ".join(SCOPES), expires_s: int = 3_600) -> str:
    """Sign an access token for an org; a negative `expires_s` gives one that has expired.

    Raises `ConfigurationError` for an org that the service would refuse.
    """
    if not 1 <= len(org) <= _MAX_ORG or not org.isprintable():
        raise ConfigurationError(f"--org must have 1 to {_MAX_ORG} printable characters.")
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "demo-client",
        "org": org,
        "scope": scope,
        "iat": now,
        "exp": now + expires_s,
    }
    return jwt.encode(claims, key_file(folder / "token-key"), algorithm="HS256")
