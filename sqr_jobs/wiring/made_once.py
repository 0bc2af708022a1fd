"""A property that is made at its first use, once, whichever threads ask first."""

import threading
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, overload

__all__ = ["made_once"]

Part = TypeVar("Part")


class _Owner(Protocol):
    making: threading.RLock


class made_once(Generic[Part]):  # noqa: N801 - reads as the decorator that it is
    """`functools.cached_property` with its owner's lock `making`: from Python 3.12 on that one has none.

    Two threads with the first two requests would make two workers, of which only one is ever stopped.
    """

    def __init__(self, make: Callable[[Any], Part]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> "made_once[Part]": ...
    @overload
    def __get__(self, owner: _Owner, kind: type) -> Part: ...

    def __get__(self, owner: _Owner | None, kind: type) -> "made_once[Part] | Part":
        """Make it; whoever asks later finds it in the owner's `__dict__`, and does not come here."""
        if owner is None:
            return self
        made = vars(owner)
        with owner.making:
            if self._name not in made:
                made[self._name] = self._make(owner)
            part: Part = made[self._name]
            return part
