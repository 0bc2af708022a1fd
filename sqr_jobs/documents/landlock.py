"""Landlock for the calling thread: which files the kernel lets it open, and whether it may use TCP.

Unlike an audit hook it also holds C code, such as libxml2's or SQLite's. A thread can't lift it again, and
the threads that it starts inherit it. https://docs.kernel.org/userspace-api/landlock.html
"""

import contextlib
import ctypes
import functools
import os
import stat
import struct
import sys
from collections.abc import Iterable

__all__ = ["Ruleset", "abi_version"]

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # alike wherever Linux has Landlock
_VERSION_FLAG, _PATH_BENEATH = 1, 1

_EXECUTE, _WRITE_FILE, _READ_FILE = 1 << 0, 1 << 1, 1 << 2
_REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))
_REFER, _TRUNCATE = 1 << 13, 1 << 14  # since ABI 2, ABI 3
_BIND_TCP, _CONNECT_TCP = 1 << 0, 1 << 1  # since ABI 4
_ABI_REFER, _ABI_TRUNCATE, _ABI_TCP = 2, 3, 4


def abi_version() -> int:
    """Return the version of the kernel's Landlock interface, 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(_syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG)), 0)


class Ruleset:
    """Reading below some folders, and nothing else: no writing, removing, creating, executing, no TCP.

    Looking up whether a file is there, and listing folders, stay allowed. Raises `OSError` where the kernel
    refuses to make one.
    """

    def __init__(self, abi: int, readable: Iterable[str]) -> None:
        files = _EXECUTE | _WRITE_FILE | _READ_FILE | _REMOVE_AND_MAKE
        files |= _REFER * (abi >= _ABI_REFER) | _TRUNCATE * (abi >= _ABI_TRUNCATE)
        handled = struct.pack("=Q", files)
        if abi >= _ABI_TCP:
            handled += struct.pack("=Q", _BIND_TCP | _CONNECT_TCP)
        self._fd = _checked(
            _CREATE_RULESET, ctypes.c_char_p(handled), ctypes.c_size_t(len(handled)), ctypes.c_uint32(0)
        )
        for path in readable:
            self.allow_reading(path)

    def allow_reading(self, path: str) -> None:
        """Allow it below a folder, or of one file; a path that is not there is skipped."""
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)  # type: ignore[attr-defined,unused-ignore]  # Linux
            try:
                kind = os.fstat(fd).st_mode
                if stat.S_ISDIR(kind) or stat.S_ISREG(kind) or stat.S_ISCHR(kind):
                    rule = struct.pack("=Qi", _READ_FILE, fd)
                    _checked(
                        _ADD_RULE,
                        ctypes.c_int(self._fd),
                        ctypes.c_int(_PATH_BENEATH),
                        ctypes.c_char_p(rule),
                        ctypes.c_uint32(0),
                    )
            finally:
                os.close(fd)

    def restrict_this_thread(self) -> bool:
        """Apply it for good; returns whether the kernel did. The thread must have `no_new_privs` set."""
        return _syscall(_RESTRICT_SELF, ctypes.c_int(self._fd), ctypes.c_uint32(0)) == 0


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(number: int, *arguments: object) -> int:
    returned = _syscall(number, *arguments)
    if returned < 0:
        raise OSError(ctypes.get_errno(), "Landlock")
    return returned


def _syscall(number: int, *arguments: object) -> int:
    return int(_libc().syscall(ctypes.c_long(number), *arguments))
