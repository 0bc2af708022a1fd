"""What was found out about a version of something, for the last thousand of them."""

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

__all__ = ["Remembered"]

Fact = TypeVar("Fact")

_KEPT = 1024


class Remembered(Generic[Fact]):
    """A bounded cache whose entries hold for one version of their key. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._facts: OrderedDict[str, tuple[object, Fact]] = OrderedDict()

    def get(self, key: str, version: object) -> Fact | None:
        """Return what was put for this very version; None where nothing was."""
        with self._lock:
            known, fact = self._facts.get(key, (None, None))
            return fact if known == version else None

    def put(self, key: str, version: object, fact: Fact) -> None:
        """Keep it instead of what was known of another version."""
        with self._lock:
            self._facts[key] = (version, fact)
            self._facts.move_to_end(key)
            if len(self._facts) > _KEPT:
                self._facts.popitem(last=False)
