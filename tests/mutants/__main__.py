"""`python -m tests.mutants [name…]`: take each guard away in a copy, and see its tests fail.

Their tests run on the code as it is first, and must pass. Exit 1 when a mutant survives, or when a guard's
code is not found once: then this list is out of date; 2 when no guard has such a name, or when a test fails
with all guards in place. When all of them were caught, the page's table is written.
"""

import datetime as dt
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.figures import replace_between
from tests.mutants.guards import GUARDS, Guard
from tests.mutants.trial import Trial

__all__ = ["main"]

_PAGE = "docs/explanation/reliability.md"
_ROOT = Path(__file__).parents[2]


def main(wanted: list[str], *, guards: Sequence[Guard] = GUARDS, root: Path = _ROOT) -> int:
    """Try each guard whose name holds one of the words; say what became of it."""
    chosen = [guard for guard in guards if not wanted or any(word in guard.name for word in wanted)]
    if not chosen:
        _say(f"no guard's name holds any of: {' '.join(wanted)}. The names are in tests/mutants/guards/")
        return 2
    found: dict[str, str | None] = {}
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(root, Path(folder))
        began = time.monotonic()
        if faults := trial.faults(chosen):
            _say("Nothing was tried, because these tests fail with every guard in its place:")
            _say("\n".join(faults))
            return 2
        _say(f"passed    their tests, with every guard in its place  ({time.monotonic() - began:.0f} s)")
        for guard in chosen:
            began = time.monotonic()
            found[guard.name] = seen_by = trial.seen_by(guard)
            _say(f"{'caught  ' if seen_by else 'SURVIVED'}  {guard.name}  ({time.monotonic() - began:.0f} s)")
            if seen_by:
                _say(f"          by {seen_by}")
    survivors = sum(seen_by is None for seen_by in found.values())
    _say(f"{len(chosen) - survivors} caught, {survivors} survived")
    if not (survivors or wanted):
        page = root / _PAGE
        text = replace_between(page.read_text(encoding="utf-8"), _table(found), "mutants")
        page.write_text(text, encoding="utf-8")
        _say(f"written to {_PAGE}")
    return 1 if survivors else 0


def _table(found: Mapping[str, str | None]) -> str:
    """Name each guard and, of the tests that see its mutant, the first."""
    lines = [f"Run on {dt.datetime.now(dt.UTC).date()}: {len(found)} mutants, all caught.", ""]
    lines += ["| Taken away | Seen first by |", "| --- | --- |"]
    for name, seen_by in found.items():
        file, _, test = str(seen_by).partition("::")
        lines.append(f"| {name} | `{test.partition('[')[0]}` in `{file}` |")
    return "\n".join(lines)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
