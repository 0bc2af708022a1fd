"""Deployments side by side, each driven by a process of its own, which take cells from one queue.

A process each, because threads of one would wait for each other, and measure that.
"""

import io
import itertools
import multiprocessing
import queue
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.acceptance.canaries import NAMES, found_in
from tests.host.reports import KEY
from tests.matrix.cells import Cell
from tests.matrix.injection import inject
from tests.matrix.lane import Lane
from tests.matrix.outcome import Outcome
from tests.servers.ports import wait_until

__all__ = ["Found", "inject_until_telling", "run"]

_TRIES = 3
"""How often an injection is made that tells nothing: where a slow moment kept the phase or the crowd away."""
_LOOK_S = 1.0
_BREAKER_S = 6.0
"""A web process that found its broker slow rings no more for 5 s, and reaches C no more."""
_FENCED_OFF = "fenced off: another attempt owns the job"
"""What a worker logs whose result came too late."""
_CANARIES = {
    "a person's name (I15)": NAMES,
    "a token (I15)": "Bearer ey",
    "the key of tokens (I15)": KEY,
    "a signed URL (I15)": "X-Amz-Signature=",
}


@dataclass(kw_only=True)
class Found:
    """What all of them found, or what one of them has found lately."""

    outcomes: list[Outcome] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """What no outcome tells: a deployment that broke down, something in the logs."""
    fenced_off: int = 0


def run(
    batches: Sequence[Sequence[Cell]], *, lanes: int, folder: Path, tell: Callable[[Outcome], None]
) -> Found:
    """Run each cell once, in this order; `tell` hears of every injection, those without a strike too."""
    context = multiprocessing.get_context("spawn")
    left, told = context.Queue(), context.Queue()
    for batch in [*batches, *[None] * lanes]:
        left.put(batch)
    drivers = []
    for number in range(lanes):
        inside = folder / f"lane-{number}"
        inside.mkdir()
        drivers.append(context.Process(target=_drive, args=(inside, left, told)))
    for driver in drivers:
        driver.start()
    found = Found()
    while any(driver.is_alive() for driver in drivers) or not told.empty():
        try:
            news = told.get(timeout=_LOOK_S)
        except queue.Empty:
            continue
        if isinstance(news, Outcome):
            tell(news)
        else:
            found.outcomes += news.outcomes
            found.broken += news.broken
            found.fenced_off += news.fenced_off
    return found


def _drive(folder: Path, left: Any, told: Any) -> None:
    """Make deployments, one after the other, until nothing is left; one that broke is not used again."""
    for number in itertools.count():
        inside = folder / str(number)
        inside.mkdir()
        try:
            with redirect_stdout(io.StringIO()), Lane(inside) as lane:  # it prints what its programs said
                _use(lane, left, told)
        except Exception:  # noqa: BLE001 - the others go on, and the run fails in the end
            told.put(Found(broken=[traceback.format_exc()]))
        else:
            return


def inject_until_telling(lane: Lane, cell: Cell, tell: Callable[[Outcome], None]) -> Outcome:
    """Run a cell, three times at most where an injection tells nothing; `tell` hears of each."""
    for _ in range(_TRIES):
        outcome = inject(lane, cell)
        tell(outcome)
        if outcome.is_telling or outcome.verdict.violations:
            break
        until = time.monotonic() + _BREAKER_S
        wait_until(partial(_is_past, until), seconds=60, what="closed breakers", every_s=_LOOK_S)
    return outcome


def _is_past(moment: float) -> bool:
    return time.monotonic() >= moment


def _use(lane: Lane, left: Any, told: Any) -> None:
    cell: Cell | None = None
    try:
        while (batch := left.get()) is not None:
            for cell in batch:
                told.put(Found(outcomes=[inject_until_telling(lane, cell, told.put)]))
    except Exception as error:
        error.add_note(f"in {cell.name if cell else 'no cell'}")
        raise
    finally:
        lines = list(lane.said())
        leaks = [f"{what}: {line}" for what, line in found_in(lines, _CANARIES).items()]
        told.put(Found(broken=leaks, fenced_off=sum(_FENCED_OFF in line for line in lines)))
