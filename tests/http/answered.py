"""A situation that was met: the answer, and all that was written meanwhile."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from tests.http.clients import Client, Reply
from tests.http.situations import Situation

__all__ = ["Answered", "meet", "written"]

_OF_THE_CLIENT = ("httpx", "httpcore", "asyncio")
"""Loggers of the test's own client, which may tell what it asks for."""


@dataclass(frozen=True)
class Answered:
    """What came of one situation in one framework."""

    reply: Reply
    path: str
    """As the last request asked for it."""
    tokens: list[str]
    """All that were sent."""
    written: str


def meet(client: Client, situation: Situation) -> Answered:
    """Meet a situation with a fresh client, listening to every logger at DEBUG."""
    tokens: list[str] = []
    send = client._send

    def remember(method: str, path: str, headers: list[tuple[str, str]], content: bytes | None) -> Reply:
        tokens.extend(value.split()[-1] for name, value in headers if name == "Authorization")
        return send(method, path, headers, content)

    client._send = remember  # type: ignore[method-assign]
    records: list[logging.LogRecord] = []
    listener = logging.Handler(logging.DEBUG)
    listener.emit = records.append  # type: ignore[method-assign]
    root = logging.getLogger()
    level = root.level
    root.addHandler(listener)
    root.setLevel(logging.DEBUG)
    try:
        reply = situation.meet(client)
    finally:
        root.removeHandler(listener)
        root.setLevel(level)
    return Answered(reply, client.last_path, tokens, written(records))


def written(records: Iterable[logging.LogRecord]) -> str:
    """Give all that records hold: text, arguments, extra fields, stacks."""
    formatter = logging.Formatter()
    return "\n".join(
        f"{formatter.format(record)} {vars(record)}"
        for record in records
        if not record.name.startswith(_OF_THE_CLIENT)
    )
