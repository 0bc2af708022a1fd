"""What the clients saw: one line of JSON for each question, with when it was asked and answered."""

import json
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["Exchange", "History", "Journey", "read"]


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One question of one client, and what came of it."""

    kind: str
    """`create`, `status`, `url`, `fetch`, `cancel`, or `probe`: a question about another org's job.

    In a soak also `unknown`, about no job, and `dropped`: a POST whose answer nobody awaited.
    """
    org: str
    asked: float
    """Monotonic seconds."""
    answered: float | None
    """None when no answer came."""
    user: str | None = None
    job_id: str | None = None
    status: int | None = None
    """The HTTP status."""
    told: dict[str, Any] | None = None
    """The fields of the answer that the checker looks at; never a URL."""

    @property
    def took_s(self) -> float:
        """From the question to the answer; only for one that was answered."""
        assert self.answered is not None
        return self.answered - self.asked


@dataclass(frozen=True, kw_only=True)
class Journey:
    """One report from the wish to the document, or to what came instead."""

    org: str
    user: str
    job_id: str | None
    end: str
    """`document`, or what the client was told instead, or `nothing` when it gave up waiting."""
    began: float
    ended: float
    key: str = ""
    """The idempotency key: journeys of one person that share it are about one job."""


class History:
    """Collects what the threads of one episode saw, on disk as well."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.exchanges: list[Exchange] = []
        self.journeys: list[Journey] = []

    def add(self, seen: Exchange | Journey) -> None:
        """Append one line."""
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({type(seen).__name__: asdict(seen)}) + "\n")
            if isinstance(seen, Exchange):
                self.exchanges.append(seen)
            else:
                self.journeys.append(seen)


def read(lines: Iterable[str]) -> tuple[list[Exchange], list[Journey]]:
    """Read what a `History` wrote."""
    exchanges, journeys = [], []
    for line in lines:
        ((kind, fields),) = json.loads(line).items()
        if kind == "Exchange":
            exchanges.append(Exchange(**fields))
        else:
            journeys.append(Journey(**fields))
    return exchanges, journeys
