"""Random keys that a service makes for itself and keeps in a file."""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from sqr_jobs.errors import ConfigurationError
from sqr_jobs.local_paths import private_folder

__all__ = ["key_file"]

_BYTES = 32


def key_file(path: Path) -> bytes:
    """Read the random key of this file, made on first use; processes that race agree on one.

    White space around a key of text is no part of it: editors and `openssl rand -hex` end it with a line end.

    Raises `ConfigurationError` for a folder that can't be used, and for a key that can be guessed.
    """
    try:
        key = _read_or_make(path)
    except OSError as error:
        raise ConfigurationError(
            f"The folder {path.parent} can't be used ({error.strerror}). Set SQR_JOBS_DATA_DIR to one that "
            "this process may write."
        ) from None
    if _is_text(key):
        key = key.strip()
    if len(key) < _BYTES:
        raise ConfigurationError(
            f"The key in {path} has {len(key)} bytes; {_BYTES} are needed. Delete the file, and a new key is "
            "made; or put a random one there."
        )
    return key


def _is_text(key: bytes) -> bool:
    """Tell text from random bytes, which may end with any."""
    return key.isascii() and key.decode().strip().isprintable()


def _read_or_make(path: Path) -> bytes:
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    private_folder(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")  # mode 0600
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(_BYTES))
        file.flush()
        os.fsync(file.fileno())  # an empty key after a power cut would sign what anyone can
    with contextlib.suppress(FileExistsError):
        os.link(name, path)
    Path(name).unlink()
    return path.read_bytes()
