"""Doing something as a transaction is committed, and not when it is rolled back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, event

__all__ = ["Awaiting", "after_commit", "collecting"]

_KEY = "sqr_jobs_after_commit"


@dataclass(frozen=True)
class Awaiting:
    """What waits for the commit."""

    action: Callable[[], None]
    in_doubt: Callable[[], None]
    """Done instead where the COMMIT of a transaction of our own raised: it may have come through."""
    savepoint: int
    """The number of the innermost savepoint that it stands in; later ones have higher numbers."""


def after_commit(
    connection: Connection, action: Callable[[], None], *, in_doubt: Callable[[], None] = lambda: None
) -> None:
    """Do something, such as logging a transition, once it is true.

    In a transaction of our own that is after the COMMIT. In a host's it is as the host's COMMIT is sent, for
    SQLAlchemy tells no later, and never where the host rolls back, all of it or to a savepoint from before.
    """
    if _KEY not in connection.info:
        _watch(connection)
    nested = connection.get_nested_transaction()
    name = nested._savepoint if nested is not None else "0"  # noqa: SLF001 - there is no public way
    connection.info[_KEY].append(Awaiting(action, in_doubt, _number(name)))


@contextmanager
def collecting(connection: Connection, actions: list[Awaiting]) -> Iterator[None]:
    """Collect into `actions` those of a transaction of our own, for the caller to run after its commit.

    There are none where the transaction's body raised.
    """
    waiting: list[Awaiting] = []
    info = connection.info  # of a connection that broke meanwhile it can't be had any more
    info[_KEY] = waiting
    try:
        yield
    finally:
        del info[_KEY]
    actions.extend(waiting)


def _watch(connection: Connection) -> None:
    """Follow a host's transaction to its end; SQLAlchemy takes the same listener once."""
    connection.info[_KEY] = []
    for form in ("", "_twophase"):
        event.listen(connection, f"commit{form}", _committed)
        event.listen(connection, f"rollback{form}", _rolled_back)
    event.listen(connection, "rollback_savepoint", _rolled_back_to)


def _committed(connection: Connection, *_of_two_phases: object) -> None:
    for each in connection.info.pop(_KEY, []):
        each.action()


def _rolled_back(connection: Connection, *_of_two_phases: object) -> None:
    if connection.invalidated:
        return  # it broke, and what waited went with it; asking for it would raise within the rollback
    connection.info.pop(_KEY, None)


def _rolled_back_to(connection: Connection, name: str, _context: None) -> None:
    if connection.invalidated:
        return
    waiting = connection.info.get(_KEY, [])
    waiting[:] = [each for each in waiting if each.savepoint < _number(name)]


def _number(savepoint: str) -> int:
    return int(savepoint.rpartition("_")[2])
