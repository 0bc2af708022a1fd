"""`python -m tests.soak`: soak, hold the result against the invariants, write the tables."""

import argparse
import datetime as dt
import os
import sys
import tempfile
from pathlib import Path

from tests.acceptance.program import ROOT
from tests.bench.cpu import machine
from tests.bench.figures import replace_between
from tests.soak.faults import FAULTS
from tests.soak.plan import EVERY_S, Plan
from tests.soak.run import soak
from tests.soak.table import report

_PAGE = ROOT / "docs" / "explanation" / "reliability.md"
_FULL = 2_000


def main() -> int:
    """Run, print the tables, and write them when the run was whole and every promise held."""
    options = _options()
    for name in list(os.environ):  # the settings of whoever calls must not reach what is soaked
        if name.startswith("SQR_JOBS_"):
            del os.environ[name]
    plan = Plan(seed=options.seed, jobs=options.jobs, faults=FAULTS)
    is_long = plan.errands[-1].at_s > (len(FAULTS) + 2) * EVERY_S
    sys.stderr.write(f"soak: again: nox -s soak -- --seed {plan.seed} --jobs {plan.jobs}\n")
    with tempfile.TemporaryDirectory(prefix="sqr-jobs-soak-") as folder:
        result = soak(plan, Path(folder), expected_faults=FAULTS if is_long else ())
    when = dt.datetime.now(dt.UTC).date()
    text = f"Run on {when} on {machine()}, in {result.took_s / 60:.1f} minutes. {report(result)}"
    sys.stdout.write(f"{text}\n")
    violations = result.verdict.violations
    sys.stdout.write("".join(f"BROKEN {sentence}\n" for sentence in violations))
    if violations:
        return 1
    if plan.jobs >= _FULL:
        page = replace_between(_PAGE.read_text(encoding="utf-8"), text, "soak")
        _PAGE.write_text(page, encoding="utf-8")
        sys.stderr.write(f"soak: written to {_PAGE.relative_to(ROOT)}\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s soak --", description="Soak.")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn (default: 1)")
    parser.add_argument(
        "--jobs", type=int, default=_FULL, help=f"default: {_FULL}; a run of fewer writes nothing"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
