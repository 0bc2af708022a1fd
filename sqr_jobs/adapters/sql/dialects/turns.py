"""Taking turns: migrations on one server, one after the other, each as long as it takes."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from sqr_jobs.errors import ConfigurationError

__all__ = ["await_turn", "unbound"]

_WAIT_S, _LOOK_AGAIN_S = 60.0, 0.2


def await_turn(take: Callable[[], bool]) -> None:
    """Try to take a lock until it is free. Raises `ConfigurationError` after a minute."""
    until = time.monotonic() + _WAIT_S
    while not take():
        if time.monotonic() >= until:
            raise ConfigurationError("Another migration is at work. Try again after it.")
        time.sleep(_LOOK_AGAIN_S)


@contextmanager
def unbound(connection: Connection, bound: str) -> Iterator[None]:
    """Let a client wait for each answer as long as it takes.

    `bound` is the attribute of the driver's connection that limits that time.
    """
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
