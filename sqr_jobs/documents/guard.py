"""Keeps a layout from reaching for the network or for files, once its data is loaded.

It guards against accidents, such as an image address that came from a user; it is no jail for hostile code.
"""

import importlib.machinery
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
_CODE = tuple(importlib.machinery.all_suffixes())
_DEVICES = ("/dev/null", "/dev/urandom")


class Guard:
    """An audit hook (PEP 578) that refuses, between `close` and `open`, what a layout has no need of.

    Files may be read where Python's own and the application's modules lie, with their assets, and where
    the system keeps fonts and time zones; code may be imported from anywhere. Descriptors that are open
    already stay usable.
    """

    def __init__(self) -> None:
        self._closed = False
        roots = {
            Path(root).resolve() for root in (sys.prefix, sys.base_prefix, *sys.path, *_SYSTEM, *_packages())
        }
        self._roots = tuple(f"{root}{os.sep}" for root in roots - {Path("/")})
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
        return real in _DEVICES or real.endswith(_CODE) or real.startswith(self._roots)


def _packages() -> set[str]:
    """Find the folders of the packages that are loaded, wherever an editable install has put them."""
    loaded = (module for name, module in sys.modules.items() if "." not in name)
    return {folder for module in loaded for folder in getattr(module, "__path__", ())}
