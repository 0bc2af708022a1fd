"""Keeps a layout from reaching for the network, processes and files, once its data is loaded.

It guards against accidents, such as an image address that came from a user; it is no jail for hostile code.
"""

import contextlib
import contextvars
import ctypes
import importlib.machinery
import mimetypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from sqr_jobs.documents.sandbox import Sandbox
from sqr_jobs.documents.signal_stack import SignalStack

__all__ = ["Guard"]

_REFUSED = frozenset(
    {
        "os.chflags",
        "os.chmod",
        "os.chown",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.link",
        "os.mkdir",
        "os.posix_spawn",
        "os.remove",
        "os.removexattr",
        "os.rename",
        "os.rmdir",
        "os.setxattr",
        "os.symlink",
        "os.system",
        "os.utime",
        "socket.bind",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyaddr",
        "socket.gethostbyname",
        "socket.getnameinfo",
        "socket.sendmsg",
        "socket.sendto",
        "subprocess.Popen",
    }
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FONTS = (
    "/etc/fonts",
    "/usr/local/share/fonts",
    "/usr/share/fontconfig",
    "/usr/share/fonts",
    "/var/cache/fontconfig",
    "/System/Library/Fonts",
    "/Library/Fonts",
)
_SYSTEM = (
    "/etc/group",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/timezone",
    "/etc/zoneinfo",
    "/usr/lib/zoneinfo",
    "/usr/share/lib/zoneinfo",
    "/usr/share/zoneinfo",
    "/usr/share/i18n",
    "/usr/share/locale",
    "/dev/null",
    "/dev/random",
    "/dev/urandom",
)
_LIBRARIES = (
    # What the dynamic linker reads for a module that a layout imports late, and OpenSSL at its first use.
    "/etc/crypto-policies",
    "/etc/ld.so.cache",
    "/etc/pki/tls/openssl.cnf",
    "/etc/ssl/openssl.cnf",
    "/gnu/store",
    "/lib",
    "/lib64",
    "/nix/store",
    "/opt/homebrew/lib",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    # What numerical libraries ask to count processors and memory.
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/devices/system",
)
_CODE = tuple(importlib.machinery.all_suffixes())
_OF_PACKAGES = tuple(f"{os.sep}__init__{suffix}" for suffix in _CODE)
_STACK_BYTES = 16 * 1_048_576
"""Twice a main thread's usual stack: less than it has would end deep recursion in C."""
_M_ARENA_MAX = -8

_Result = TypeVar("_Result")


class Guard:
    """Runs a layout on a separate thread and refuses it what a layout does not need.

    An audit hook (PEP 578) refuses it to all Python code of the process while the layout runs, on every
    system. Where the kernel has Landlock and seccomp, they also restrict C code. They hold for the thread
    alone and can't be lifted, so the thread ends with the layout, and the next `load` is free again.

    Files may be read where Python's own and the application's modules lie, with their assets, and where
    the system keeps libraries, fonts and time zones. Descriptors that are open already stay usable.
    """

    def __init__(self) -> None:
        _use_one_heap()
        self._closed = False
        self._known: set[str] = set()
        self._readable: set[str] = set()
        self._below: tuple[str, ...] = ()
        self._sandbox = Sandbox()
        self._signal_stack = SignalStack()
        self.is_worn = False
        """Whether a layout left a thread, which stays restricted and would fail a later `load`."""
        libraries = [*_LIBRARIES, *filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep))]
        self._learn(
            [sys.prefix, sys.base_prefix, *_FONTS, *_SYSTEM, *libraries, *map(str, mimetypes.knownfiles)]
        )
        sys.addaudithook(self._judge)
        _audit_fork_exec(self._judge)

    def run(self, layout: Callable[[], _Result]) -> _Result:
        """Run it while the guard is closed; return or raise what it did."""
        self._learn()
        results: list[_Result] = []
        errors: list[BaseException] = []
        context = contextvars.copy_context()
        before = set(threading.enumerate())

        def restricted() -> None:  # by whose name a dump's reader knows the layout's thread
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
            self._signal_stack.use_on_this_thread()
            try:
                self._sandbox.restrict_this_thread()
                results.append(context.run(layout))
            except BaseException as error:  # noqa: BLE001 - raised below
                errors.append(error)

        self._closed = True
        # A timeout's signal shall find the layout's thread: a stack that another thread reads may change
        # meanwhile, and the process would crash.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        try:
            _start_thread(restricted).join()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
            self._closed = False
        self.is_worn = self.is_worn or not before.issuperset(threading.enumerate())
        if errors:
            raise errors.pop()  # which no frame holds, or its traceback would keep the person's data alive
        return results.pop()

    def _learn(self, paths: Iterable[str] = ()) -> None:
        """Take in where modules lie by now: `load` may have imported some."""
        fresh = {*paths, *sys.path, *_packages()} - self._known
        if not fresh:
            return
        self._known |= fresh
        roots = {_root(path) for path in fresh}
        if "/" in roots:  # a container without a working folder: its modules, and nothing else
            roots = roots - {"/"} | {entry.path for entry in os.scandir("/") if _is_code(entry)}
        roots = {root for root in roots if not root.startswith(self._below)}
        self._readable |= roots
        self._below = tuple(f"{root}{os.sep}" for root in self._readable)
        for root in roots:
            self._sandbox.allow_reading(root)

    def _judge(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._closed:
            return
        match event:
            case "open":
                path, _mode, flags = arguments
                if isinstance(path, int) or path is None:
                    return
                if (flags or 0) & _WRITING or not self._may_read(os.fsdecode(path)):
                    raise PermissionError(
                        "a layout may not open this file: put assets beside the template's module"
                    )
            case "os.truncate" if isinstance(arguments[0], int):
                return
            case "sqlite3.connect" if arguments[0] == ":memory:":
                return
            case "os.truncate" | "sqlite3.connect":
                raise PermissionError(f"a layout may not do this: {event}")
            case _ if event in _REFUSED:
                raise PermissionError(f"a layout may not do this: {event}")

    def _may_read(self, path: str) -> bool:
        real = os.path.realpath(path)
        return real in self._readable or real.endswith(_CODE) or real.startswith(self._below)


def _packages() -> set[str]:
    """Find where packages lie outside `sys.path`: by an editable install, or behind symbolic links."""
    folders: set[str] = set()
    for name, module in list(sys.modules.items()):
        if "." not in name:
            folders.update(getattr(module, "__path__", ()))
            folders.update(filter(_is_of_package, [getattr(module, "__file__", None) or ""]))
        if name.startswith("__editable__"):  # setuptools' finder: of packages that are not loaded yet
            folders.update(getattr(module, "MAPPING", {}).values())
    return folders


def _root(path: str) -> str:
    """Resolve a folder or a file; the file of a package names the folder that its links lead to."""
    real = os.path.realpath(path)
    folder = os.path.dirname(real)  # noqa: PTH120 - as fast as can be, for each package
    return folder if _is_of_package(path) and folder != "/" else real


def _is_of_package(file: str) -> bool:
    return file.endswith(_OF_PACKAGES)


def _is_code(entry: "os.DirEntry[str]") -> bool:
    return entry.name.endswith(_CODE) or Path(entry.path, "__init__.py").exists()


def _start_thread(target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target, name="sqr-jobs-layout")
    usual = threading.stack_size(_STACK_BYTES)
    try:
        thread.start()
    except RuntimeError as error:  # no memory for its stack, or no more threads: trying again may help
        raise MemoryError(str(error)) from None
    finally:
        threading.stack_size(usual)
    return thread


def _use_one_heap() -> None:
    """Have glibc give threads no heap of their own: each would take 64 MiB of the memory limit."""
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def _audit_fork_exec(judge: Callable[[str, tuple[Any, ...]], None]) -> None:
    """Have multiprocessing's way to start a program judged too: Python raises no event for it."""
    import _posixsubprocess  # noqa: PLC0415

    fork_exec = _posixsubprocess.fork_exec

    def judged(*arguments: Any) -> int:
        judge("subprocess.Popen", ())
        return fork_exec(*arguments)

    _posixsubprocess.fork_exec = judged
