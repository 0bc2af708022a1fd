"""How long a job may take, and how long its document is kept."""

from dataclasses import dataclass

__all__ = ["Lifetimes"]

_SHORTEST_DEADLINE_S = 1
_SHORTEST_DOCUMENT_S = 300
"""A signed URL lives so long; a document that does not is gone under a download."""


@dataclass(frozen=True, kw_only=True)
class Lifetimes:
    """The times of a job where a request names none, and the most that one may name. All in seconds."""

    deadline_s: float
    """From creation to FAILED, unless the job is COMPLETE by then."""
    longest_deadline_s: float
    document_s: float
    """From completion to the document's expiry."""
    longest_document_s: float

    def faults(self, deadline_s: float | None, document_s: float | None) -> list[str]:
        """Say what is wrong with a request's own times, a sentence per fault."""
        return [
            f"{name} must lie between {shortest:.12g} and {longest:.12g} seconds; this is {asked:.12g}."
            for name, asked, shortest, longest in (
                ("exportDeadline", deadline_s, _SHORTEST_DEADLINE_S, self.longest_deadline_s),
                ("outputTtl", document_s, _SHORTEST_DOCUMENT_S, self.longest_document_s),
            )
            if asked is not None and not shortest <= asked <= longest
        ]
