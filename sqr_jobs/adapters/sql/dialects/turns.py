"""Taking turns: migrations on one server, one after the other, each as long as it takes."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from sqr_jobs.errors import ConfigurationError

__all__ = ["turn"]

_WAIT_S, _LOOK_AGAIN_S = 60.0, 0.2


@contextmanager
def turn(
    connection: Connection, take: Callable[[], bool], give: Callable[[], None], *, bound: str
) -> Iterator[None]:
    """Take a lock of the session as soon as it is free, and give it back at the end.

    `bound` is the attribute of the driver's connection that bounds how long it waits for an answer.
    """
    until = time.monotonic() + _WAIT_S
    while not take():
        connection.rollback()
        if time.monotonic() >= until:
            raise ConfigurationError("Another migration is at work. Try again after it.")
        time.sleep(_LOOK_AGAIN_S)
    connection.commit()
    try:
        with _unbound(connection, bound):
            yield
    except BaseException:
        with suppress(SQLAlchemyError):  # where the connection broke, lock and settings went with it
            _end(connection, give)
        raise
    _end(connection, give)


def _end(connection: Connection, give: Callable[[], None]) -> None:
    connection.rollback()
    give()
    connection.commit()


@contextmanager
def _unbound(connection: Connection, bound: str) -> Iterator[None]:
    driver: Any = connection.connection.driver_connection
    was = getattr(driver, bound, None)
    if was is None:  # a host's connection without a bound, or another driver's
        yield
        return
    setattr(driver, bound, None)
    try:
        yield
    finally:
        setattr(driver, bound, was)
