"""What a guard of a promise is, and how it is taken away."""

from dataclasses import dataclass

__all__ = ["Guard"]


@dataclass(frozen=True, kw_only=True)
class Guard:
    """One guard."""

    name: str
    file: str
    """Below the repository's root."""
    code: str
    """What stands there, once."""
    without: str
    """What stands there in the mutant."""
    tests: tuple[str, ...]
    """One of them must fail."""
