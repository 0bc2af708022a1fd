"""Who asks, and about whom."""

import unicodedata
from dataclasses import dataclass, field

__all__ = ["ORG_ID_LENGTH", "USER_ID_LENGTH", "Caller", "User", "user_id_faults"]

USER_ID_LENGTH = 16
"""Characters that a user's id may have by default."""
ORG_ID_LENGTH = 255
"""Characters that an org's id may have at most."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """An authenticated API client; every job belongs to the org of the caller that asked for it."""

    org_id: str
    """The tenant. Compared byte for byte; at most 255 characters."""
    client_id: str = ""
    """The client's own id where the token tells it; never used for permissions here."""
    scopes: frozenset[str] = field(default_factory=frozenset)
    """OAuth scopes, asked for only where the host configures them."""

    def __post_init__(self) -> None:
        """Refuse an org that would be everyone's. Raises `ValueError`."""
        if not isinstance(self.org_id, str) or not 1 <= len(self.org_id) <= ORG_ID_LENGTH:
            raise ValueError(f"org_id must be a text of 1 to {ORG_ID_LENGTH} characters")


@dataclass(frozen=True, kw_only=True)
class User:
    """A person that a report can be about, as the host's `UserDirectory` knows them.

    Names are used for the file name at download and are stored nowhere.
    """

    user_id: str
    """The id that was asked for."""
    given_name: str = field(repr=False)
    family_name: str = field(repr=False)


def user_id_faults(user_id: str, *, longest: int = USER_ID_LENGTH) -> list[str]:
    """Say what is wrong with a user id (contract, "POST create"), a sentence per fault."""
    faults = []
    if not 1 <= len(user_id) <= longest:
        faults.append(f"userId must have 1 to {longest} characters; this one has {len(user_id)}.")
    categories = {unicodedata.category(character) for character in user_id}
    if "Cc" in categories:
        faults.append("userId must not contain control characters.")
    if "Cs" in categories:
        faults.append("userId must not contain lone surrogates.")
    return faults
