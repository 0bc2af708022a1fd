"""Messages between a worker and its render child: JSON, each behind its length. Data, never code."""

import json
import os
import struct
from typing import Any

__all__ = ["MAX_MESSAGE", "MessageReader", "pack", "read_message"]

_HEADER = struct.Struct(">I")
_PART = 65_536
MAX_MESSAGE = 1_048_576
"""Bytes; a longer one is not read."""


def pack(message: dict[str, Any]) -> bytes:
    """Write a message with its length before it."""
    body = json.dumps(message).encode()
    return _HEADER.pack(len(body)) + body


def read_message(fd: int) -> dict[str, Any] | None:
    """Read one message, blocking; None at the end of the pipe. Raises `ValueError` for anything else."""
    reader = MessageReader(fd)
    while not reader.is_at_end:
        message = reader.read_part()
        if message is not None:
            return message
    return None


class MessageReader:
    """Reads one message after the other from a pipe, in parts.

    So a reader that polls the pipe is never held up by a message that stops in the middle.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._seen = bytearray()
        self.is_at_end = False
        """Whether the pipe has ended."""

    def read_part(self) -> dict[str, Any] | None:
        """Read what is there, blocking for the first byte; return the message once it is whole.

        Raises `ValueError` for what is no message, or for one that is too long.
        """
        part = os.read(self._fd, self._missing())
        self.is_at_end = not part
        self._seen += part
        if self.is_at_end or self._missing():
            return None
        body = bytes(self._seen[_HEADER.size :])
        self._seen.clear()
        message = json.loads(body)
        if not isinstance(message, dict):
            raise ValueError("a message that is not an object")  # noqa: TRY004 - it came over the pipe
        return message

    def _missing(self) -> int:
        """Count the bytes up to the end of the header, then of the message, and no more than one part."""
        seen = len(self._seen)
        if seen < _HEADER.size:
            return _HEADER.size - seen
        (length,) = _HEADER.unpack_from(self._seen)
        if length > MAX_MESSAGE:
            raise ValueError(f"a message of {length} bytes")
        return min(int(length) + _HEADER.size - seen, _PART)
