"""Listening to every command that clients send to a Redis server."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis

__all__ = ["overhear"]


@contextmanager
def overhear(url: str) -> Iterator[list[str]]:
    """Collect all commands with their arguments until the block ends."""
    commands: list[str] = []
    end = secrets.token_hex(8)
    with Redis.from_url(url) as client, Redis.from_url(url) as other, client.monitor() as monitor:

        def listen() -> None:
            for command in monitor.listen():
                if end in command["command"]:
                    return
                commands.append(command["command"])

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield commands
        finally:
            other.echo(end)
            thread.join(timeout=10)
