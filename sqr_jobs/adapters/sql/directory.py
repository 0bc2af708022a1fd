"""The host's people, asked for in the database that may just be out of reach."""

from sqr_jobs.adapters.coroutines import settled
from sqr_jobs.adapters.sql.engine import outages_translated
from sqr_jobs.domain.caller import Caller, User
from sqr_jobs.ports import AsyncUserDirectory, UserDirectory

__all__ = ["HostDirectory"]


class HostDirectory:
    """`UserDirectory` over the host's own, with plain methods or with coroutines.

    The host most often asks the same database by SQLAlchemy; its outage is then ours: an answer of 503, not
    of 500 with the driver's words in the log.
    """

    def __init__(self, users: UserDirectory | AsyncUserDirectory) -> None:
        self._users = users

    def find(self, user_id: str) -> User | None:
        """Ask the host. Raises `DatabaseUnavailable` and whatever else the host raises."""
        with outages_translated():
            return settled(self._users.find(user_id))

    def may_report(self, caller: Caller, user: User) -> bool:
        """Ask the host, likewise."""
        with outages_translated():
            return settled(self._users.may_report(caller, user))
