"""`python -m tests.cli.without_posix …` is `sqr-jobs …` without what only POSIX systems have.

It stands in for Windows, as far as that goes: modules that are missing there can't be imported by our code,
and names that are missing there are taken out of modules that exist there too. What other packages do on
Windows does not show.
"""

# These take what they need of the names below when they are imported, as their Windows forms would not.
import asyncio  # noqa: F401
import builtins
import multiprocessing  # noqa: F401
import os
import select
import signal
import subprocess  # noqa: F401
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

__all__ = ["MODULES", "take_away"]

MODULES = frozenset({"fcntl", "grp", "pwd", "resource", "syslog", "termios"})
_NAMES = {
    os: ("O_ASYNC", "O_NONBLOCK", "fork", "getpgid", "killpg", "setpgid", "setsid"),
    select: ("epoll", "poll"),
    signal: (
        *("SIGALRM", "SIGCHLD", "SIGCONT", "SIGHUP", "SIGIO", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGSTOP"),
        *("SIGTSTP", "SIGUSR1", "SIGUSR2", "SIG_UNBLOCK"),
        *("ITIMER_REAL", "alarm", "pthread_sigmask", "setitimer", "sigwait"),
    ),
}


def take_away() -> None:
    """Take it away from this process, for good."""
    for module, names in _NAMES.items():
        for name in names:
            delattr(module, name)
    real_import = builtins.__import__

    def as_on_windows(
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - the builtin's own name
        locals: Mapping[str, Any] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        importer = (globals or {}).get("__name__") or ""
        if name in MODULES and importer.startswith("sqr_jobs"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real_import(name, globals, locals, fromlist or (), level)

    builtins.__import__ = as_on_windows


if __name__ == "__main__":
    take_away()
    from sqr_jobs.cli import main

    sys.exit(main())
