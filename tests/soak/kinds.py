"""What becomes of a report on a person, told by the last letter of their id. Standard library only."""

from enum import StrEnum

__all__ = ["RIGHT_ENDS", "Kind", "kind_of", "user_id"]


class Kind(StrEnum):
    """A kind of job; its value is the letter."""

    SHORT = "S"
    """One page."""
    HEAVY = "H"
    """A table of a few thousand rows."""
    HANGING = "T"
    """Hangs in C and holds the GIL, at every attempt."""
    SEGFAULT = "C"
    """Its child dies of a segmentation fault, at every attempt."""
    KILLED = "K"
    """Its child kills itself, at every attempt."""
    MEMORY = "M"
    """Takes memory without end, at every attempt."""
    BROKEN = "B"
    """Raises in the layout."""
    WAITING = "W"
    """Would take longer than an attempt may; its client cancels it."""


RIGHT_ENDS: dict[Kind, frozenset[str]] = {
    Kind.SHORT: frozenset({"document"}),
    Kind.HEAVY: frozenset({"document"}),
    # Whoever dies with its workers, and with its own children too, may reach the bound by either.
    Kind.HANGING: frozenset({"failed RENDER_TIMEOUT"}),
    Kind.SEGFAULT: frozenset({"failed RENDER_CRASHED", "failed WORKER_LOST"}),
    Kind.KILLED: frozenset({"failed RENDER_CRASHED", "failed WORKER_LOST"}),
    Kind.MEMORY: frozenset({"failed OUT_OF_MEMORY"}),
    Kind.BROKEN: frozenset({"failed RENDER_FAILED"}),
    Kind.WAITING: frozenset({"failed CANCELLED"}),
}
"""How a journey to a job of each kind must end, as `Journey.end` says it."""


def user_id(org_number: int, number: int, kind: Kind) -> str:
    """Name a person of an org."""
    return f"U{org_number:02d}-{number:02d}-{kind}"


def kind_of(user: str) -> Kind:
    """Read the kind."""
    return Kind(user[-1])
