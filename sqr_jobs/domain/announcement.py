"""What a worker announces of itself while it lives, for `sqr-jobs check`."""

import json
from dataclasses import asdict, dataclass
from typing import Self

__all__ = ["Announcement"]


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """One worker process, as the broker shows it to others."""

    database: str
    """The identity of the database whose jobs it claims."""
    service: str | None = None
    """The name of the service whose jobs it claims; None where it does not say."""
    templates: tuple[str, ...] | None = None
    """The templates that it knows, each with its version; None where it does not say."""
    version: str = ""
    """The version of sqr-jobs that it runs."""

    def to_text(self) -> str:
        """Write it for the broker."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read it; anything else is the bare identity that an earlier version announced."""
        try:
            read = json.loads(text)
            templates = read["templates"]
            return cls(
                database=str(read["database"]),
                service=read["service"] and str(read["service"]),
                templates=None if templates is None else tuple(str(template) for template in templates),
                version=str(read["version"]),
            )
        except (ValueError, TypeError, KeyError, RecursionError):
            return cls(database=text)
