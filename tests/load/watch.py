"""Looks once a second at what waits, and at the memory and descriptors of every program."""

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

import psutil
from sqlalchemy import Engine, text

if TYPE_CHECKING:
    from tests.acceptance.program import Program

__all__ = ["Look", "Usage", "Watch"]

_EVERY_S = 1.0
_FIND_EVERY = 5
_QUESTION = text(
    "SELECT count(*) AS unfinished,"
    " coalesce((extract(epoch from clock_timestamp()) * 1000)::bigint"
    "  - min(created_at) FILTER (WHERE state = 'QUEUED'), 0) AS oldest_ms"
    " FROM sqr_jobs_job WHERE active_slot = 1"
)


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What all processes of one role hold together."""

    memory: int
    """Resident bytes."""
    descriptors: int
    processes: int


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look."""

    at: float
    """Monotonic seconds."""
    oldest_s: float
    """How long the oldest job that no attempt has begun waits."""
    unfinished: int
    usages: Mapping[str, Usage] = field(default_factory=dict)
    """By role."""


class Watch:
    """Looks until its end; `looks` may be read meanwhile."""

    def __init__(self, engine: Engine, programs: Iterable["Program"]) -> None:
        self._engine = engine
        self._programs = list(programs)
        self._processes: dict[int, tuple[str, psutil.Process]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self.looks: list[Look] = []
        self.broken: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def between(self, begin: float, end: float) -> list[Look]:
        """Return the looks of a span."""
        return [look for look in list(self.looks) if begin <= look.at < end]

    def _run(self) -> None:
        number = 0
        next_at = time.monotonic()
        while not self._ended.wait(max(next_at - time.monotonic(), 0)):
            try:
                if number % _FIND_EVERY == 0:
                    self._find()
                self.looks.append(self._look())
            except Exception as error:  # noqa: BLE001 - a hole in the samples is told, and fails the run
                self.broken.append(f"a look failed: {error!r}")
            number += 1
            next_at = max(next_at + _EVERY_S, time.monotonic())

    def _look(self) -> Look:
        with self._engine.connect() as connection:
            row = connection.execute(_QUESTION).one()
        sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        for role, process in self._processes.values():
            with contextlib.suppress(psutil.Error):
                memory, descriptors = process.memory_info().rss, process.num_fds()
                for place, value in enumerate((memory, descriptors, 1)):
                    sums[role][place] += value
        return Look(
            at=time.monotonic(),
            oldest_s=max(row.oldest_ms, 0) / 1000,
            unfinished=row.unfinished,
            usages={
                role: Usage(memory=memory, descriptors=descriptors, processes=processes)
                for role, (memory, descriptors, processes) in sums.items()
            },
        )

    def _find(self) -> None:
        """Find the processes anew: a worn render child is replaced."""
        found: dict[int, tuple[str, psutil.Process]] = {}
        for program in self._programs:
            first = psutil.Process(program.pid)
            for process in (first, *first.children(recursive=True)):
                known = self._processes.get(process.pid)
                with contextlib.suppress(psutil.Error):
                    is_child = known is None and "sqr_jobs.documents.child" in process.cmdline()
                    role = known[0] if known else "render children" if is_child else program.name
                    found[process.pid] = (role, process)
        self._processes = found
