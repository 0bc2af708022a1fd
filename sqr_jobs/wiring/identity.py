"""Which database a service works on, as the name that its keys in a shared Redis carry."""

from typing import TYPE_CHECKING

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

            system = self._system
            jobs = SqlJobUpkeep(system.database, policy=parts.policy_for(system.settings))
            self._known = jobs.database_identity()
        return self._known
