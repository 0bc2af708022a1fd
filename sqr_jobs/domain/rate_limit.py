"""How much an org may ask for."""

from dataclasses import dataclass

__all__ = ["RateLimit"]


@dataclass(frozen=True, kw_only=True)
class RateLimit:
    """At most so many creations of an org in any window, wherever the window begins.

    Raises `ValueError` where either is less than 1.
    """

    requests: int
    """Creations that are let through."""
    window_s: int
    """Seconds."""

    def __post_init__(self) -> None:
        """Refuse a limit that nobody could keep."""
        if self.requests < 1 or self.window_s < 1:
            raise ValueError("RateLimit needs at least 1 request and a window of at least 1 s")
