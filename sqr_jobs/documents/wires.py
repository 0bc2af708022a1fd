"""What connects a render child to its worker, and what a forked copy of the child gets instead: nothing.

A template may fork in `load`, as `multiprocessing` does, and the copy may forget to exit. The copy must not
read an order, answer one, or write to the file that the next organisation's document goes to.
"""

import contextlib
import faulthandler
import hashlib
import io
import os
import signal
from typing import Any

from sqr_jobs.documents.pipes import pack, read_message
from sqr_jobs.forks import Forkable, mind_forks

__all__ = ["HashedOutput", "Wires"]

_STDIN, _STDOUT, _STDERR = 0, 1, 2


class Wires(Forkable):
    """The descriptors of orders, replies, work file, lifeline and stack.

    From here on what a template starts reads no orders, and what it prints is not taken for a reply.
    """

    def __init__(self, *, output_fd: int, lifeline_fd: int, stack_fd: int) -> None:
        self.output_fd = output_fd
        self._orders, self._replies = os.dup(_STDIN), os.dup(_STDOUT)
        self._null = os.open(os.devnull, os.O_RDWR)
        self._passed = (output_fd, lifeline_fd, stack_fd)
        os.dup2(self._null, _STDIN)
        os.dup2(_STDERR, _STDOUT)
        for fd in self._passed:
            os.set_inheritable(fd, False)  # noqa: FBT003 - takes no keyword
        mind_forks(self)

    def receive(self) -> dict[str, Any] | None:
        """Wait for a message; None when the worker has closed the pipe."""
        return read_message(self._orders)

    def send(self, message: dict[str, Any]) -> None:
        """Write a message whole."""
        data = pack(message)
        while data:
            data = data[os.write(self._replies, data) :]

    def after_fork_in_child(self) -> None:
        """Cut the copy off."""
        for fd in (self._orders, self._replies, *self._passed):
            os.dup2(self._null, fd, inheritable=False)
        with contextlib.suppress(Exception):  # its stack would be taken for the child's
            faulthandler.disable()
            faulthandler.unregister(signal.SIGALRM)


class HashedOutput(io.RawIOBase):
    """Writes one document to the work file from its start on, and knows its size and SHA-256.

    The worker compares them with what it finds in the file. It keeps a place of its own in the file, and
    refuses any process but the one that made it, even a copy that was forked behind Python's back.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._owner = os.getpid()
        self._size = 0
        self._hash = hashlib.sha256()
        os.ftruncate(fd, 0)

    @property
    def sha256(self) -> str:
        """64 hexadecimal digits."""
        return self._hash.hexdigest()

    def writable(self) -> bool:
        """Say yes; it is never read and never moved in."""
        return True

    def write(self, data: Any) -> int:
        """Write all of the bytes. Raises `OSError`."""
        if os.getpid() != self._owner:
            raise PermissionError("a forked copy of the render child may not write the document")
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self._fd, rest, self._size)
            self._hash.update(rest[:written])
            self._size += written
            rest = rest[written:]
        return len(data)

    def tell(self) -> int:
        """Count the bytes written."""
        return self._size
