"""`python -m tests.matrix`: run every cell, hold the results against the invariants, write the table."""

import argparse
import datetime as dt
import io
import os
import queue
import random
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stdout
from pathlib import Path

from tests.acceptance.canaries import NAMES, found_in
from tests.acceptance.program import ROOT
from tests.bench.cpu import machine
from tests.bench.figures import replace_between
from tests.host.reports import KEY
from tests.matrix.cells import CELLS, Cell, of
from tests.matrix.injection import inject
from tests.matrix.lane import Lane
from tests.matrix.outcome import Outcome
from tests.matrix.table import failures, summary, table

_PAGE = ROOT / "docs" / "explanation" / "reliability.md"
_TRIES = 3
"""How often an injection is made whose fault does not strike: where a slow moment kept the phase away."""
_CANARIES = {
    "a person's name (I15)": NAMES,
    "a token (I15)": "Bearer ey",
    "the key of tokens (I15)": KEY,
    "a signed URL (I15)": "X-Amz-Signature=",
}


_FENCED_OFF = "fenced off: another attempt owns the job"
"""What a worker logs whose result came too late."""


class _Run:
    """All injections of one run, taken by lanes from one queue."""

    def __init__(self, cells: Sequence[Cell], *, rounds: int, seed: int) -> None:
        self.outcomes: list[Outcome] = []
        self.broken: list[str] = []
        self.fenced_off = 0
        self.planned = len(cells) * rounds
        self._lock, self._starting = threading.Lock(), threading.Lock()
        self._left: queue.SimpleQueue[Cell] = queue.SimpleQueue()
        order = random.Random(seed)
        for _ in range(rounds):
            for cell in order.sample(list(cells), len(cells)):
                self._left.put(cell)

    def serve(self, folder: Path) -> None:
        """Make lanes, one after the other, until nothing is left; one that broke is not used again."""
        for number in range(1_000):
            if self._left.empty():
                return
            inside = folder / str(number)
            inside.mkdir()
            try:
                with ExitStack() as ends:
                    with self._starting:  # Alembic works once at a time in a process
                        lane = ends.enter_context(Lane(inside))
                    self._use(lane)
            except Exception:  # noqa: BLE001 - the others go on, and the run fails in the end
                self._tell_broken(traceback.format_exc())

    def _use(self, lane: Lane) -> None:
        cell: Cell | None = None
        try:
            while True:
                try:
                    cell = self._left.get_nowait()
                except queue.Empty:
                    break
                for _ in range(_TRIES):
                    outcome = inject(lane, cell)
                    _say(_told(outcome, len(self.outcomes), self.planned))
                    if outcome.has_struck or outcome.verdict.violations:
                        break
                with self._lock:
                    self.outcomes.append(outcome)
        except Exception as error:
            error.add_note(f"in {cell.name if cell else 'no cell'}")
            raise
        finally:
            self.broken += [f"{what}: {line}" for what, line in found_in(lane.said(), _CANARIES).items()]
            self.fenced_off += sum(_FENCED_OFF in line for line in lane.said())

    def _tell_broken(self, text: str) -> None:
        with self._lock:
            self.broken.append(text)
        _say(text)


def main() -> int:
    """Run, print the table, and write it when all cells were run and every promise held."""
    options = _options()
    for name in list(os.environ):
        if name.startswith("SQR_JOBS_") and not name.startswith("SQR_JOBS_TEST_"):
            del os.environ[name]
    cells = of(*options.only) if options.only else CELLS
    run = _Run(cells, rounds=options.rounds, seed=options.seed)
    began = time.monotonic()
    said = io.StringIO()  # by each lane at its end, program by program
    with (
        tempfile.TemporaryDirectory(prefix="sqr-jobs-faults-") as folder,
        redirect_stdout(said),
    ):
        _serve(run, Path(folder), options.lanes)
    took_s = time.monotonic() - began
    names = [cell.name for cell in CELLS]
    outcomes = sorted(run.outcomes, key=lambda outcome: names.index(outcome.cell.name))
    found = [*run.broken, *failures(outcomes)]
    if len(outcomes) != run.planned:
        found.append(f"{len(outcomes)} of {run.planned} injections were made")
    text = (
        f"{_measured(took_s, options)}\n\n{summary(outcomes, fenced_off=run.fenced_off)}\n\n{table(outcomes)}"
    )
    sys.stdout.write(f"{text}\n")
    sys.stdout.write("".join(f"BROKEN {sentence}\n" for sentence in found))
    if not (found or options.only):
        page = replace_between(_PAGE.read_text(encoding="utf-8"), text, "faults")
        _PAGE.write_text(page, encoding="utf-8")
        _say(f"written to {_PAGE.relative_to(ROOT)}")
    return 1 if found else 0


def _serve(run: _Run, folder: Path, lanes: int) -> None:
    threads = []
    for number in range(lanes):
        inside = folder / f"lane-{number}"
        inside.mkdir()
        threads.append(threading.Thread(target=run.serve, args=(inside,)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s faults --", description="Run the fault matrix.")
    parser.add_argument("--rounds", type=int, default=5, help="injections of each cell (default: 5)")
    parser.add_argument("--lanes", type=int, default=3, help="deployments side by side (default: 3)")
    parser.add_argument("--seed", type=int, default=7, help="of the order in which cells come")
    parser.add_argument("--only", action="append", help="one cell, as `worker-killed@H`; writes nothing")
    return parser.parse_args()


def _measured(seconds: float, options: argparse.Namespace) -> str:
    return (
        f"Run on {dt.datetime.now(dt.UTC).date()} in {seconds / 60:.0f} minutes on {machine()}, "
        f"{options.lanes} deployments side by side, {options.rounds} injections of each cell."
    )


def _told(outcome: Outcome, number: int, planned: int) -> str:
    verdict = outcome.verdict
    setbacks = ", ".join(f"{count} {name}" for name, count in verdict.setbacks.items())
    return (
        f"{number}/{planned} {outcome.cell.name}: {outcome.exposed} exposed, recovered in "
        f"{outcome.recovery_s:.1f} s, slowest POST {max(outcome.posts_s, default=0):.2f} s"
        f"{f', {setbacks}' if setbacks else ''}{'' if outcome.has_struck else ', DID NOT STRIKE'}"
        + "".join(f"\n    BROKEN {violation}" for violation in verdict.violations)
    )


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
