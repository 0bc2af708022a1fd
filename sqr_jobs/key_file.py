"""Random keys that a service makes for itself and keeps in a file."""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from sqr_jobs.errors import ConfigurationError

__all__ = ["key_file"]


def key_file(path: Path) -> bytes:
    """Read the random key of this file, made on first use; processes that race agree on one.

    Raises `ConfigurationError` for a folder that can't be used.
    """
    try:
        return _read_or_make(path)
    except OSError as error:
        raise ConfigurationError(
            f"The folder {path.parent} can't be used ({error.strerror}). Set SQR_JOBS_DATA_DIR to one that "
            "this process may write."
        ) from None


def _read_or_make(path: Path) -> bytes:
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")  # mode 0600
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(32))
    with contextlib.suppress(FileExistsError):
        os.link(name, path)
    Path(name).unlink()
    return path.read_bytes()
