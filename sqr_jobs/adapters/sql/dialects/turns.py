"""Taking turns: migrations on one server, one after the other."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from sqr_jobs.errors import ConfigurationError

__all__ = ["turn"]

_WAIT_S, _LOOK_AGAIN_S = 60.0, 0.2


@contextmanager
def turn(connection: Connection, take: Callable[[], bool], give: Callable[[], None]) -> Iterator[None]:
    """Take a lock of the session as soon as it is free, and give it back at the end."""
    until = time.monotonic() + _WAIT_S
    while not take():
        connection.rollback()
        if time.monotonic() >= until:
            raise ConfigurationError("Another migration is at work. Try again after it.")
        time.sleep(_LOOK_AGAIN_S)
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        give()
        connection.commit()
