"""What must not be shared by a process and one that it forks: connections, and locks that others hold.

Python runs callbacks around each `os.fork`, and offers no way to take one back. So there is one set of them
for all parts, registered with this module, and a part leaves with its last reference.
"""

import os
import threading
from weakref import WeakSet

__all__ = ["Forkable", "mind_forks"]


class Forkable:
    """A part that has something to do around a fork; none of it may raise."""

    def before_fork(self) -> None:
        """Prepare, in the process that forks."""

    def after_fork_in_parent(self) -> None:
        """Go on in that process; the fork itself may have failed."""

    def after_fork_in_child(self) -> None:
        """Begin in the new one, in which no other thread runs."""


def mind_forks(part: Forkable) -> None:
    """Have a part told of each fork, for as long as somebody else holds it."""
    _forks.add(part)


class _Forks:
    """The parts that live, and those that were told of the fork that is under way."""

    def __init__(self) -> None:
        self.parts: WeakSet[Forkable] = WeakSet()
        self._told: list[Forkable] = []
        self._one_at_a_time = threading.RLock()

    def add(self, part: Forkable) -> None:
        with self._one_at_a_time:  # a set that grows while it is read would leave the fork to chance
            self.parts.add(part)

    def before(self) -> None:
        self._one_at_a_time.acquire()
        self._told = list(self.parts)
        for part in self._told:
            part.before_fork()

    def after_in_parent(self) -> None:
        told, self._told = self._told, []
        for part in told:
            part.after_fork_in_parent()
        self._one_at_a_time.release()

    def after_in_child(self) -> None:
        told, self._told = self._told, []
        self._one_at_a_time = threading.RLock()
        for part in told:
            part.after_fork_in_child()


_forks = _Forks()
if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(
        before=_forks.before,
        after_in_parent=_forks.after_in_parent,
        after_in_child=_forks.after_in_child,
    )
