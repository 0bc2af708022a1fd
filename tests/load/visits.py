"""What the process that asks is told, and what it tells: lines of JSON. Standard library only."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Orders", "Seen", "read_seen"]


@dataclass(frozen=True, kw_only=True)
class Orders:
    """One phase."""

    urls: Sequence[str]
    prefix: str
    people: Sequence[tuple[str, str]]
    """Whom to ask for, one after the other: the org's token, and the user."""
    moments: Sequence[float] = ()
    """When each arrives, in seconds from `starts_at` on; none for a closed loop."""
    starts_at: float
    """Monotonic seconds, which all processes of a machine share."""
    closed_for_s: float = 0.0
    """For how long a closed loop goes on."""
    backlog: int = 0
    """Of a closed loop: how many jobs it keeps waiting or running."""
    database: str = ""
    """Of a closed loop: where it counts them, as libpq reads it."""
    linger_s: float = 90.0
    """How long it waits for its jobs after the last arrival."""

    def to_json(self) -> str:
        """Write them."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One question and its answer."""

    kind: str
    """`post`, `look` or `url`."""
    scheduled: float
    """When it was to be asked, in monotonic seconds: a late answer to another never moves it."""
    began: float
    ended: float
    status: int
    """0 when no answer came."""
    told: str = ""
    """The job's status, of a look."""

    @property
    def took_s(self) -> float:
        """From the moment at which it was to be asked, so that waiting counts."""
        return self.ended - self.scheduled

    @property
    def late_s(self) -> float:
        """How late the asking side was."""
        return max(self.began - self.scheduled, 0.0)


def read_seen(path: Path) -> list[Seen]:
    """Read what the asking process wrote."""
    return [Seen(**json.loads(line)) for line in _lines(path)]


def _lines(path: Path) -> Iterable[str]:
    return path.read_text(encoding="utf-8").splitlines()
