"""Keeps a layout from reaching for the network or for files, once its data is loaded.

It guards against accidents, such as an image address that came from a user; it is no jail for hostile code.
"""

import os
import sys
from pathlib import Path
from typing import Any

__all__ = ["Guard"]

_REFUSED = frozenset(
    {
        "os.exec",
        "os.fork",
        "os.posix_spawn",
        "os.system",
        "socket.bind",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.sendto",
        "subprocess.Popen",
    }
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_SYSTEM = ("/usr/share/fonts", "/usr/share/zoneinfo", "/System/Library/Fonts", "/Library/Fonts")
_DEVICES = ("/dev/null", "/dev/urandom")


class Guard:
    """An audit hook (PEP 578) that refuses, between `close` and `open`, what a layout has no need of.

    Files may be read where Python's own and the application's modules lie, with their assets, and where
    the system keeps fonts and time zones. Descriptors that are open already stay usable.
    """

    def __init__(self) -> None:
        self._closed = False
        roots = {sys.prefix, sys.base_prefix, *(path or os.getcwd() for path in sys.path), *_SYSTEM}  # noqa: PTH109
        self._roots = tuple(
            str(Path(root).resolve()) + os.sep for root in roots if Path(root).resolve() != Path("/")
        )
        sys.addaudithook(self._judge)

    def close(self) -> None:
        """Refuse from now on."""
        self._closed = True

    def open(self) -> None:
        """Allow everything again, for the next job's `load`."""
        self._closed = False

    def _judge(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._closed:
            return
        if event in _REFUSED:
            raise PermissionError(f"a layout may not do this: {event}")
        if event == "open":
            path, _mode, flags = arguments
            if isinstance(path, int) or path is None:
                return
            if (flags or 0) & _WRITING or not self._may_read(os.fsdecode(path)):
                raise PermissionError(
                    "a layout may not open this file: put assets beside the template's module"
                )

    def _may_read(self, path: str) -> bool:
        real = os.path.realpath(path)
        return real in _DEVICES or real.startswith(self._roots)
