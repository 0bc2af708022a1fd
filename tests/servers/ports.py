"""Loopback ports for servers, and waiting for a condition: what a test needs to meet a real process."""

from __future__ import annotations

import errno
import os
import random
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["free_port", "wait_until"]

# Below the range from which Linux (32768) and macOS (49152) take the local ports of outgoing connections:
# while a killed server is down, no client can be given its port, nor connect to itself there.
#
# Each parallel process has a share, and gives no port twice: a server binds its own seconds later at times.
_share = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4
_PORTS = range(20_000 + 3_192 * _share, 20_000 + 3_192 * (_share + 1))
_given: set[int] = set()
_POLL_INTERVAL_SECONDS = 0.01

# Not the shared generator: a plugin that seeds it would hand all parallel workers the same ports.
_random = random.SystemRandom()


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 on which nothing listens, fit to be kept across restarts."""
    for _ in range(100):
        port = _random.choice(_PORTS)
        if port in _given:
            continue
        with socket.socket() as candidate:
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError as error:
                if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                    raise
                continue
        _given.add(port)
        return port
    message = f"100 ports tried between {_PORTS.start} and {_PORTS.stop - 1} are taken: stop what holds them."
    raise OSError(errno.EADDRINUSE, message)


def wait_until(
    condition: Callable[[], object], *, seconds: float, what: str, every_s: float = _POLL_INTERVAL_SECONDS
) -> None:
    """Return as soon as `condition()` is true; the only place in the tests that sleeps.

    `what` completes the sentence "Waited … seconds in vain for …". The condition is asked at least once, and
    once more when time is up, so a slow machine can't turn a late success into a failure. `every_s` is how
    often a client would ask, where asking costs something.

    Raises:
        TimeoutError: the condition was still false after `seconds`.

    """
    deadline = time.monotonic() + seconds
    while True:
        time_is_up = time.monotonic() >= deadline
        if condition():
            return
        if time_is_up:
            raise TimeoutError(f"Waited {seconds:g} seconds in vain for {what}.")
        time.sleep(every_s)
