"""How much each organisation may ask for: the host's choice, else the settings'."""

from collections.abc import Callable

from sqr_jobs.domain.caller import Caller
from sqr_jobs.domain.rate_limit import RateLimit
from sqr_jobs.errors import ConfigurationError
from sqr_jobs.settings import Settings

__all__ = ["Quotas"]


class Quotas:
    """Asks the host's `choose_rate_limit` where there is one, and holds its answer against the settings."""

    def __init__(self, settings: Settings, choose: Callable[[Caller], RateLimit | None] | None) -> None:
        self._choose = choose
        self._longest_s = settings.job_lifetime_s
        self.default = RateLimit(requests=settings.rate_limit, window_s=settings.rate_window_s)

    @property
    def common_window_s(self) -> int | None:
        """The window that all organisations have; None where the host chooses for each."""
        return self.default.window_s if self._choose is None else None

    def of(self, caller: Caller) -> RateLimit:
        """Give the caller's. Raises `ConfigurationError` for a choice that is none."""
        if self._choose is None:
            return self.default
        from sqr_jobs.adapters.sql.engine import outages_translated  # noqa: PLC0415

        with outages_translated():
            chosen = self._choose(caller)
        if not isinstance(chosen, RateLimit | None):
            raise ConfigurationError(
                f"choose_rate_limit returned {type(chosen).__name__}. Return a RateLimit, or None for the "
                "settings' own."
            )
        if chosen is not None and chosen.window_s > self._longest_s:
            raise ConfigurationError(
                "choose_rate_limit returned a window longer than SQR_JOBS_JOB_LIFETIME_S, after which "
                "jobs are deleted and no longer counted. Return a shorter one, or raise that."
            )
        return chosen or self.default
