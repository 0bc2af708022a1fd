"""What the core asks of the host: its people, its login, its templates."""

from collections.abc import Mapping
from typing import Protocol

from sqr_jobs.domain.caller import Caller, User
from sqr_jobs.domain.job import TemplateRef

__all__ = ["AsyncUserDirectory", "Authenticator", "TemplateCatalog", "UserDirectory"]


class UserDirectory(Protocol):
    """The host's people; both questions are asked at every creation and at every download, from any thread.

    Raise `Unavailable` where the host's own data is out of reach: the client is answered 503. Whatever else
    is raised is answered 500, and logged.
    """

    def find(self, user_id: str) -> User | None:
        """Find the person with this id, compared byte for byte; None where there is none."""
        ...

    def may_report(self, caller: Caller, user: User) -> bool:
        """Say whether this caller may have a report on this person *now*, from the host's own data."""
        ...


class AsyncUserDirectory(Protocol):
    """`UserDirectory` with coroutines, for hosts whose data is reached by an event loop.

    Called on the loop that serves the request where a thread of it asks (FastAPI), else on a loop of its own.
    What may be raised is the same.
    """

    async def find(self, user_id: str) -> User | None:
        """Find the person with this id, as `UserDirectory.find`."""
        ...

    async def may_report(self, caller: Caller, user: User) -> bool:
        """Say whether this caller may have a report on this person *now*."""
        ...


class Authenticator(Protocol):
    """Turns a request's headers into a caller."""

    def authenticate(self, headers: Mapping[str, str]) -> Caller:
        """Judge the bearer token; header names are lower case.

        Raises `Unauthenticated` (with the reason, for the log), or `Unavailable` where nobody can judge now:
        the client is answered 503.
        """
        ...


class TemplateCatalog(Protocol):
    """The registered templates as the endpoints see them."""

    def choose(self, caller: Caller, user: User) -> TemplateRef:
        """Choose the template of a new job."""
        ...

    def document_lifetime_s(self, template: TemplateRef) -> float | None:
        """Tell for how many seconds a template's documents are kept; None where the settings decide."""
        ...

    def filename(self, template: TemplateRef, user: User, job_id: str) -> str:
        """Name a document for people; safe on every file system."""
        ...
