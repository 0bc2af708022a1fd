"""Messages between a worker and its render child: JSON, each behind its length. Data, never code."""

import json
import os
import struct
from typing import Any

__all__ = ["MAX_MESSAGE", "pack", "read_exactly", "read_message"]

_HEADER = struct.Struct(">I")
MAX_MESSAGE = 1_048_576
"""Bytes; a longer one is not read."""


def pack(message: dict[str, Any]) -> bytes:
    """Write a message with its length before it."""
    body = json.dumps(message).encode()
    return _HEADER.pack(len(body)) + body


def read_message(fd: int) -> dict[str, Any] | None:
    """Read one message, blocking; None at the end of the pipe. Raises `ValueError` for anything else."""
    header = read_exactly(fd, _HEADER.size)
    if header is None:
        return None
    (length,) = _HEADER.unpack(header)
    if length > MAX_MESSAGE:
        raise ValueError(f"a message of {length} bytes")
    body = read_exactly(fd, length)
    if body is None:
        return None
    message = json.loads(body)
    if not isinstance(message, dict):
        raise TypeError("a message that is no object")
    return message


def read_exactly(fd: int, length: int) -> bytes | None:
    """Read so many bytes; None when the pipe ends before."""
    parts = []
    while length:
        part = os.read(fd, length)
        if not part:
            return None
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
