"""An organisation's plan decides how many reports it may ask for."""

from sqlalchemy import Engine, text
from sqr_jobs import Caller, RateLimit

QUOTAS = {"trial": RateLimit(requests=3, window_s=3600), "large": RateLimit(requests=100, window_s=600)}


class Plans:
    """The host's table of plans."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def quota(self, caller: Caller) -> RateLimit | None:
        """Look the plan up; None is the limit of the settings."""
        with self._engine.connect() as connection:
            plan = connection.scalar(
                text("SELECT plan FROM organisation WHERE id = :org"), {"org": caller.org_id}
            )
        return QUOTAS.get(plan)
