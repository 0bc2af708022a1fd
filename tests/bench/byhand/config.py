"""What the hand-written service is told, through one variable."""

import os
from typing import Self

from pydantic import BaseModel

__all__ = ["PLAIN_PREFIX", "PREFIX", "VARIABLE", "Config"]

PREFIX = "/v1/document/api"
"""Where the endpoints are mounted, the library's own as well."""
PLAIN_PREFIX = "/plain"

VARIABLE = "BY_HAND_CONFIG"


class Config(BaseModel):
    """Where everything is."""

    database_url: str
    public_key: str
    folder: str
    redis_url: str | None = None
    s3: dict[str, str] | None = None
    bucket: str = ""
    queue: str = "none"
    """`none`, `list` (a list in Redis) or `celery`."""

    @classmethod
    def from_environment(cls) -> Self:
        """Read it."""
        return cls.model_validate_json(os.environ[VARIABLE])
