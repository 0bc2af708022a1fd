"""`python -m tests.load`: measure the capacity, load at 0.7 of it, find the knee, write the tables."""

import argparse
import datetime as dt
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import psutil

from tests.acceptance.program import ROOT
from tests.bench.cpu import machine
from tests.bench.figures import replace_between
from tests.load.run import FULL, QUICK, run_load
from tests.load.table import failures, report

_PAGE = ROOT / "docs" / "explanation" / "reliability.md"


def main() -> int:
    """Measure, print the tables, and write them when the steady load held."""
    options = _options()
    for name in list(os.environ):  # the settings of whoever calls must not reach what is loaded
        if name.startswith("SQR_JOBS_") and not name.startswith("SQR_JOBS_TEST_"):
            del os.environ[name]
    effort = QUICK if options.quick else replace(FULL, load_s=options.minutes * 60)
    strangers = psutil.cpu_percent(interval=2) / 100 * (psutil.cpu_count() or 1)
    with tempfile.TemporaryDirectory(prefix="sqr-jobs-load-") as folder:
        loaded = run_load(effort, Path(folder), seed=options.seed)
    when = dt.datetime.now(dt.UTC).date()
    text = (
        f"Run on {when} on {machine()}; other programs kept {strangers:.2f} cores busy just before. "
        f"Arrivals by seed {options.seed}.\n\n{report(loaded)}"
    )
    sys.stdout.write(f"{text}\n")
    if options.quick:
        return 0
    found = failures(loaded)
    sys.stdout.write("".join(f"BROKEN {sentence}\n" for sentence in found))
    if found:
        return 1
    _PAGE.write_text(replace_between(_PAGE.read_text(encoding="utf-8"), text, "load"), encoding="utf-8")
    sys.stderr.write(f"load: written to {_PAGE.relative_to(ROOT)}\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s load --", description="Load at a steady rate.")
    parser.add_argument("--minutes", type=float, default=3, help="of the steady load (default: 3)")
    parser.add_argument("--seed", type=int, default=1, help="of the arrivals")
    parser.add_argument(
        "--quick", action="store_true", help="a few seconds, to see that it runs; judges and writes nothing"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
