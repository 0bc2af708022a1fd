"""The body of an upload, which an abandoned upload can't read any further."""

import io
import os
import threading
from collections.abc import Callable
from typing import BinaryIO

from sqr_jobs.errors import DocumentsUnavailable

__all__ = ["UploadBody"]


class UploadBody:
    """A document's bytes, from where the file stands, for one upload and its repetition.

    botocore has no total timeout, so an upload may go on in its thread when nobody waits for it any more.
    The file may hold another document by then. Once the time is over, or after `end`, each read fails, even
    if `until` gives time again.

    A file of the system is read through a descriptor and an offset of this body alone. A read that has begun
    neither moves the file's own offset nor meets a descriptor that was closed and given to another file.
    """

    def __init__(self, file: BinaryIO, *, until: Callable[[], float]) -> None:
        self._file = file
        self._start = self._at = file.tell()
        self._until = until
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._handle = _duplicate(file)

    def left_s(self) -> float:
        """Seconds that are left; 0 for ever once there were none."""
        seconds = 0.0 if self._over.is_set() else self._until()
        if seconds <= 0:
            self._over.set()
        return seconds

    def end(self) -> None:
        """Let no thread read any further."""
        self._over.set()
        with self._lock:
            handle, self._handle = self._handle, None
            if handle is not None:
                os.close(handle)

    def read(self, size: int = -1) -> bytes:
        """Read on. Raises `DocumentsUnavailable` when the time is over."""
        with self._lock:
            self._check()
            if self._handle is None:
                self._file.seek(self._at)
                piece = self._file.read(size)
            else:
                length = os.fstat(self._handle).st_size - self._at if size < 0 else size
                piece = os.pread(self._handle, max(length, 0), self._at)
            self._at += len(piece)
        self._check()  # of a file that was given away meanwhile, nothing is sent
        return piece

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move within the document, whose start is 0."""
        with self._lock:
            self._check()
            if whence == os.SEEK_END:
                raise io.UnsupportedOperation("the end of an upload is not known")
            self._at = offset + (self._start if whence == os.SEEK_SET else self._at)
            return self._at - self._start

    def tell(self) -> int:
        """Say how far the document was read."""
        return self._at - self._start

    def _check(self) -> None:
        if self.left_s() <= 0:
            raise DocumentsUnavailable("The upload took longer than the attempt may.")


def _duplicate(file: BinaryIO) -> int | None:
    """Open a second descriptor; None for a file in memory, and where there is no `pread` (Windows)."""
    if not hasattr(os, "pread"):
        return None
    try:
        return os.dup(file.fileno())
    except io.UnsupportedOperation:
        return None
