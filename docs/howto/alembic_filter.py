"""For an Alembic `env.py`: tables that belong to sqr-jobs are none of the application's business."""

from collections.abc import Mapping
from typing import Any


def is_ours(name: str | None, kind: str, parents: Mapping[str, Any]) -> bool:  # noqa: ARG001 - Alembic passes it
    """Leave the tables of sqr-jobs to `sqr-jobs db`; pass this as `include_name` to `context.configure`."""
    return kind != "table" or not str(name).startswith("sqr_jobs_")
