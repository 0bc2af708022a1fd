"""Which Python runs the render children."""

import os
import subprocess
import sys
from pathlib import Path

from sqr_jobs.errors import ConfigurationError

__all__ = ["find_interpreter"]

_PROBE = "import sys; print('sqr-jobs', *sys.version_info[:2])"
_PROBE_S = 20.0
_NAMES = ("python", "pypy")


def find_interpreter(named: str | None = None) -> str:
    """Find a Python of this version: the one that is named, else the one that runs this process.

    Under uWSGI, or in a program that embeds Python, `sys.executable` is another program or empty. Then
    the Python of this environment is taken, `sys.prefix/bin/python3`. Raises `ConfigurationError`.
    """
    if named is not None:
        _check(named)
        return named
    if Path(sys.executable or "").name.startswith(_NAMES):
        return sys.executable
    for prefix in (sys.prefix, sys.base_prefix):
        for name in (f"python{sys.version_info.major}.{sys.version_info.minor}", "python3"):
            found = Path(prefix, "bin", name)
            if os.access(found, os.X_OK):
                return str(found)
    running = sys.executable or "a nameless program"
    raise ConfigurationError(
        f"Render children need a Python, and this process runs in {running}. No "
        f"Python was found below {sys.prefix}. Set SQR_JOBS_PYTHON to the Python of this environment."
    )


def _check(named: str) -> None:
    """Have the interpreter say its version, once. Raises `ConfigurationError`."""
    wanted = f"sqr-jobs {sys.version_info.major} {sys.version_info.minor}"
    try:
        answer = subprocess.run(  # noqa: S603 - the operator has named it
            [named, "-I", "-S", "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PROBE_S,
            check=False,
        ).stdout.decode("utf-8", "replace")
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        answer = type(error).__name__
    if answer.strip() != wanted:
        raise ConfigurationError(
            f"SQR_JOBS_PYTHON names {named}, which is not a Python {sys.version_info.major}."
            f"{sys.version_info.minor} that can be started. Set it to the Python of this environment, such "
            f"as {sys.prefix}/bin/python3, or leave it out."
        )
