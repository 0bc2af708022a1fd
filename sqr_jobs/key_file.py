"""Random keys that a service makes for itself and keeps in a file."""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

__all__ = ["key_file"]


def key_file(path: Path) -> bytes:
    """Read the random key of this file, made on first use; processes that race agree on one."""
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
