"""People in a database that is reached by coroutines."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqr_jobs import Caller, User


class AsyncPeople:
    """The host's people, as an `AsyncUserDirectory`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def find(self, user_id: str) -> User | None:
        """Find the person with this id."""
        async with self._engine.connect() as connection:
            found = await connection.execute(
                text("SELECT given_name, family_name FROM person WHERE id = :id"), {"id": user_id}
            )
            row = found.one_or_none()
        return User(user_id=user_id, given_name=row[0], family_name=row[1]) if row else None

    async def may_report(self, caller: Caller, user: User) -> bool:
        """Say whether this person agreed to reports for the caller's organisation."""
        async with self._engine.connect() as connection:
            agreed = await connection.scalar(
                text("SELECT count(*) FROM consent WHERE person_id = :id AND org_id = :org"),
                {"id": user.user_id, "org": caller.org_id},
            )
        return bool(agreed)
