"""What looking at a part can find."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "Note", "Verdict"]


class Verdict(StrEnum):
    """How a part stands."""

    OK = "ok"
    """It holds."""
    NOTE = "note"
    """It works, and there is something that one should know."""
    FAULT = "FAULT"
    """It does not hold; what was found ends with what to do."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the check."""

    what: str
    verdict: Verdict
    told: str
    """What was found and, of a fault, what to do."""


class Note(str):
    """What a look returns that found something to know."""

    __slots__ = ()
