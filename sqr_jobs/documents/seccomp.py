"""A seccomp filter for the calling thread: system calls that the kernel refuses to it.

Unlike an audit hook it also holds C code, such as libpq's sockets. A thread can't lift it again, and the
threads that it starts inherit it. https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import ctypes
import errno
import os
import struct
import sys

__all__ = ["filter_for_this_machine", "forgo_new_privileges", "restrict_this_thread"]

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = (
    0x20,
    0x15,
    0x35,
    0x45,
    0x06,
)  # classic BPF, as in linux/filter.h
_NUMBER, _ARCHITECTURE = 0, 4
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_CLONE_THREAD = 0x10000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_X32 = 0x40000000

_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""The column below, and the kernel's own name of the architecture."""
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    # name: x86_64, aarch64, as in asm/unistd.h
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "creat": (85, None),
    "truncate": (76, 45),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "rmdir": (84, None),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "link": (86, None),
    "linkat": (265, 37),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "lchown": (94, None),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
}
_CLONE, _SENDTO, _OPEN, _OPENAT = (56, 220), (44, 206), (2, None), (257, 56)
"""Looked at closely: a thread, a `send` and an opening for reading are allowed."""
_CLONE3, _OPENAT2 = 435, 437
"""A filter can't see their flags. They answer as on an older kernel, and libraries use the older calls."""

_Step = tuple[int, int, str, str]
"""Operation, operand, and the labels to go on at: `""` is the next step."""


def filter_for_this_machine() -> bytes | None:
    """Assemble the filter; None on a system or a machine whose calls are not known here.

    It refuses new sockets, messages with an address, processes, programs, opening for writing, and all that
    changes a file by its name or its mode, owner, time or attributes. Descriptors that are open stay usable.
    """
    machine = os.uname().machine if sys.platform == "linux" and sys.maxsize > 2**32 else ""
    return _assembled(*_MACHINES[machine]) if machine in _MACHINES else None


def forgo_new_privileges() -> None:
    """Set `no_new_privs` on this thread, without which only root may restrict itself."""
    _prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1))


def restrict_this_thread(program: bytes) -> bool:
    """Apply a filter for good; returns whether the kernel did. The thread must have `no_new_privs` set."""
    steps = ctypes.create_string_buffer(program, len(program))
    shown = struct.pack("@HP", len(program) // 8, ctypes.addressof(steps))
    return _prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), ctypes.c_char_p(shown)) == 0


def _assembled(column: int, architecture: int) -> bytes:
    def each(*calls: tuple[int | None, int | None], to: str) -> list[_Step]:
        return [(_EQUAL, number, to, "") for call in calls if (number := call[column]) is not None]

    steps: list[_Step] = [
        (_LOAD, _ARCHITECTURE, "", ""),
        (_EQUAL, architecture, "", "refuse"),
        (_LOAD, _NUMBER, "", ""),
        (_AT_LEAST, _X32, "refuse", ""),
        *each(_CLONE, to="clone"),
        *each(_SENDTO, to="sendto"),
        *each(_OPEN, to="open"),
        *each(_OPENAT, to="openat"),
        *each(*_REFUSED.values(), to="refuse"),
        *each((_CLONE3, _CLONE3), (_OPENAT2, _OPENAT2), to="unknown"),
        (_RETURN, _ALLOW, "", ""),
    ]
    parts: dict[str, list[_Step]] = {
        "clone": [(_LOAD, _argument(0), "", ""), (_ANY_BIT, _CLONE_THREAD, "allow", "refuse")],
        "open": [(_LOAD, _argument(1), "", ""), (_ANY_BIT, _WRITING, "refuse", "allow")],
        "openat": [(_LOAD, _argument(2), "", ""), (_ANY_BIT, _WRITING, "refuse", "allow")],
        "sendto": [  # without an address it is `send`, on a socket that is connected
            (_LOAD, _argument(4), "", ""),
            (_EQUAL, 0, "", "refuse"),
            (_LOAD, _argument(4) + 4, "", ""),
            (_EQUAL, 0, "allow", "refuse"),
        ],
        "allow": [(_RETURN, _ALLOW, "", "")],
        "refuse": [(_RETURN, _ERRNO | errno.EPERM, "", "")],
        "unknown": [(_RETURN, _ERRNO | errno.ENOSYS, "", "")],
    }
    labels = {}
    for label, part in parts.items():
        labels[label] = len(steps)
        steps += part
    return b"".join(
        struct.pack("=HBBI", operation, *(labels[to] - at - 1 if to else 0 for to in (yes, no)), operand)
        for at, (operation, operand, yes, no) in enumerate(steps)
    )


def _argument(index: int) -> int:
    """Find where the lower half of a call's argument lies, in `struct seccomp_data`."""
    return 16 + 8 * index


def _prctl(option: int, *arguments: object) -> int:
    given = (*arguments, *(ctypes.c_ulong(0),) * (4 - len(arguments)))
    return int(ctypes.CDLL(None).prctl(ctypes.c_int(option), *given))
