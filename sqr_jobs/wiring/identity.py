"""Which database a service works on, as the name that its keys in a shared Redis carry."""

from typing import TYPE_CHECKING
from urllib.parse import quote

from sqr_jobs.wiring import parts

if TYPE_CHECKING:
    from sqr_jobs.wiring.system import System

__all__ = ["Identity"]


class Identity:
    """Reads the identity of the service's database at the first use, and remembers it.

    No lock is held while it reads: where the database does not answer, each thread waits for itself.
    """

    def __init__(self, system: "System") -> None:
        self._system = system
        self._known: str | None = None

    def __call__(self) -> str:
        """Return the identity. Raises `DatabaseUnavailable`."""
        if self._known is None:
            from sqr_jobs.adapters.sql import SqlJobUpkeep  # noqa: PLC0415 - a render child needs no SQLAlchemy

            system, settings = self._system, self._system.settings
            jobs = SqlJobUpkeep(
                system.database, service=settings.service_name, policy=parts.policy_for(settings)
            )
            self._known = jobs.database_identity()
        return self._known

    def of_service(self) -> str:
        """Return what the service's keys in a shared Redis carry: its database and its name, quoted.

        Raises `DatabaseUnavailable`.
        """
        return f"{self()}:{quote(self._system.settings.service_name, safe='')}"
