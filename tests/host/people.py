"""The sample host's people. A user id says what becomes of a report on them."""

from sqr_jobs import Caller, User

__all__ = ["People", "person"]


class People:
    """A directory in memory: everyone whose id starts with `U` exists; a test may revoke rights."""

    def __init__(self) -> None:
        self.not_permitted: set[str] = {"U-STRANGER"}
        self.asked: list[str] = []

    def find(self, user_id: str) -> User | None:
        """Know everyone whose id starts with U."""
        self.asked.append(f"find {user_id}")
        return person(user_id) if user_id.startswith("U") else None

    def may_report(self, caller: Caller, user: User) -> bool:
        """Permit everyone but those a test took the right from."""
        self.asked.append(f"may_report {caller.org_id} {user.user_id}")
        return user.user_id not in self.not_permitted


def person(user_id: str) -> User:
    """Name a person after their id, so that a document can be told from another by its text."""
    return User(user_id=user_id, given_name="Jo", family_name=f"Bloggs{user_id.replace('-', '')}")
