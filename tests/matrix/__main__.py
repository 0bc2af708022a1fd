"""`python -m tests.matrix`: run every cell, hold the results against the invariants, write the table."""

import argparse
import datetime as dt
import itertools
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.acceptance.program import ROOT
from tests.bench.cpu import machine
from tests.bench.figures import replace_between
from tests.matrix.cells import CELLS, batches, of
from tests.matrix.lanes import run
from tests.matrix.outcome import Outcome
from tests.matrix.table import failures, summary, table

_PAGE = ROOT / "docs" / "explanation" / "reliability.md"


def main() -> int:
    """Run, print the table, and write it when all cells were run and every promise held."""
    options = _options()
    for name in list(os.environ):
        if name.startswith("SQR_JOBS_") and not name.startswith("SQR_JOBS_TEST_"):
            del os.environ[name]
    cells = of(*options.only) if options.only else CELLS
    order = random.Random(options.seed)
    rounds = [order.sample(list(cells), len(cells)) for _ in range(options.rounds)]
    planned = [cell for each in rounds for cell in each]
    number = itertools.count(1)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sqr-jobs-faults-") as folder:
        found = run(
            [batch for each in rounds for batch in batches(each)],
            lanes=options.lanes,
            folder=Path(folder),
            tell=lambda outcome: _say(_told(outcome, next(number), len(planned))),
        )
    took_s = time.monotonic() - began
    names = [cell.name for cell in CELLS]
    outcomes = sorted(found.outcomes, key=lambda outcome: names.index(outcome.cell.name))
    broken = [*found.broken, *failures(outcomes)]
    if len(outcomes) != len(planned):
        broken.append(f"{len(outcomes)} of {len(planned)} injections were made")
    told = summary(outcomes, fenced_off=found.fenced_off)
    text = f"{_measured(took_s, options)}\n\n{told}\n\n{table(outcomes)}"
    sys.stdout.write(f"{text}\n")
    sys.stdout.write("".join(f"BROKEN {sentence}\n" for sentence in broken))
    if not (broken or options.only):
        page = replace_between(_PAGE.read_text(encoding="utf-8"), text, "faults")
        _PAGE.write_text(page, encoding="utf-8")
        _say(f"written to {_PAGE.relative_to(ROOT)}")
    return 1 if broken else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s faults --", description="Run the fault matrix.")
    parser.add_argument("--rounds", type=int, default=5, help="injections of each cell (default: 5)")
    parser.add_argument("--lanes", type=int, default=3, help="deployments side by side (default: 3)")
    parser.add_argument("--seed", type=int, default=7, help="of the order in which cells come")
    parser.add_argument("--only", action="append", help="one cell, as `worker-killed@H`; writes nothing")
    return parser.parse_args()


def _measured(seconds: float, options: argparse.Namespace) -> str:
    return (
        f"Run on {dt.datetime.now(dt.UTC).date()} in {seconds / 60:.1f} minutes on {machine()}, "
        f"{options.lanes} deployments side by side, {options.rounds} injections of each cell."
    )


def _told(outcome: Outcome, number: int, planned: int) -> str:
    verdict = outcome.verdict
    setbacks = ", ".join(f"{count} {name}" for name, count in verdict.setbacks.items())
    return (
        f"{number}/{planned} {outcome.cell.name}: {outcome.exposed} exposed, recovered in "
        f"{outcome.recovery_s:.1f} s, done in {outcome.seconds:.1f} s, "
        f"slowest POST {max(outcome.posts_s, default=0):.2f} s"
        f"{f', {setbacks}' if setbacks else ''}{'' if outcome.has_struck else ', DID NOT STRIKE'}"
        + "".join(f"\n    BROKEN {violation}" for violation in verdict.violations)
    )


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
