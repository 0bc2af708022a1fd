"""`python -m tests.bench`: measure everything in one run, and write the table into the documentation."""

import argparse
import datetime as dt
import os
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import psutil

from tests.acceptance.program import ROOT
from tests.bench.bench import Bench
from tests.bench.cpu import busy_cpu_s, machine
from tests.bench.effort import FULL, QUICK
from tests.bench.figures import Row, replace_between, table
from tests.bench.measures import celery_peer, endpoints, imports, job_cpu, two_workers, wake_up
from tests.bench.servers import running_servers

_PAGE = ROOT / "docs" / "explanation" / "performance.md"
_MEASURES: dict[str, Callable[[Bench], list[Row]]] = {
    "job_cpu": job_cpu.measure,
    "endpoints": endpoints.measure,
    "wake_up": wake_up.measure,
    "two_workers": two_workers.measure,
    "imports": imports.measure,
    "celery": celery_peer.measure,
}
_PARTS = ("reportlab", "pikepdf", "sqlalchemy", "fastapi", "flask", "celery")
_STRANGERS_S = 2.0
_QUIET = 0.2


def main() -> int:
    """Measure, print the table, and write it unless only a part, or quickly, was measured."""
    options = _options()
    for name in list(os.environ):  # the settings of whoever calls must not reach what is measured
        if name.startswith("SQR_JOBS_") and not name.startswith("SQR_JOBS_TEST_"):
            del os.environ[name]
    began = time.monotonic()
    strangers = _strangers()
    rows: list[Row] = []
    with running_servers() as servers, tempfile.TemporaryDirectory(prefix="sqr-jobs-bench-") as folder:
        bench = Bench(servers=servers, effort=QUICK if options.quick else FULL, folder=Path(folder))
        for name in options.only or _MEASURES:
            servers.flush()
            bench.say(name)
            rows += _MEASURES[name](bench)
    took_s = time.monotonic() - began
    text = f"{_told(took_s, strangers, _strangers())}\n\n{table(rows)}"
    sys.stdout.write(f"{text}\n")
    if not (options.quick or options.only):
        _PAGE.write_text(replace_between(_PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
        bench.say(f"written to {_PAGE.relative_to(ROOT)}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s bench --", description="Measure speed.")
    parser.add_argument(
        "--quick", action="store_true", help="a few samples, to see that it runs; writes nothing"
    )
    parser.add_argument("--only", action="append", choices=_MEASURES, help="one measurement; writes nothing")
    return parser.parse_args()


def _strangers() -> float:
    """Look how many cores others keep busy, while nothing of ours runs."""
    before, began = busy_cpu_s(), time.monotonic()
    psutil.cpu_percent(interval=_STRANGERS_S)
    return (busy_cpu_s() - before) / (time.monotonic() - began)


def _told(seconds: float, before: float, after: float) -> str:
    parts = ", ".join(f"{name} {version(name)}" for name in _PARTS)
    told = (
        f"Measured on {dt.datetime.now(dt.UTC).date()} in {seconds:.0f} s on {machine()}; {parts}. Other "
        f"programs kept {before:.2f} cores busy just before, and {after:.2f} just after."
    )
    if max(before, after) > _QUIET:
        told += " **The machine was not quiet: the times, and the verdicts on them, say little.**"
    return told


if __name__ == "__main__":
    sys.exit(main())
