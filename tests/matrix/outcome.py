"""What one injection showed."""

from dataclasses import dataclass, field

from tests.matrix.cells import Cell
from tests.matrix.checker import Verdict

__all__ = ["EXPOSED_AT_LEAST", "Outcome"]

EXPOSED_AT_LEAST = 8
"""Of eleven jobs; of those that have a document already, as in phase I, fewer."""


@dataclass(kw_only=True)
class Outcome:
    """What one injection showed."""

    cell: Cell
    has_struck: bool
    exposed: int = 0
    without_document: int = 0
    """How many of these ended lawfully without one: cancelled, revoked, lost to the bucket or to a clock."""
    recovery_s: float = 0.0
    """From the strike, or the end of a fault that lasts, until every exposed journey had its document."""
    children_gone_s: float | None = None
    """How long after a worker was killed its render children were seen."""
    overran_s: float | None = None
    """How long after its attempt's limit a child that hung was seen."""
    posts_s: list[float] = field(default_factory=list)
    """How long each POST took whose process was not held by the fault point itself."""
    verdict: Verdict = field(default_factory=Verdict)
    seconds: float = 0.0

    @property
    def is_telling(self) -> bool:
        """Whether the fault struck, and enough jobs were on their way."""
        return self.has_struck and (self.exposed >= EXPOSED_AT_LEAST or self.cell.phase == "I")
