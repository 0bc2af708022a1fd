"""`python -m tests.mutants [name…]`: take each guard away in a copy, and see its tests fail.

Exit 1 when a mutant survives, or when a guard's code is not found once: then this list is out of date; 2
when no guard has such a name. When all of them were caught, the page's table is written.
"""

import datetime as dt
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.bench.figures import replace_between
from tests.mutants.guards import GUARDS, Guard

_PAGE = "docs/explanation/reliability.md"
_ROOT = Path(__file__).parents[2]
_PACKAGES = ("sqr_jobs", "sqr_jobs_flask", "sqr_jobs_fastapi", "tests", "docs", "pyproject.toml")
_FAILED = 1
"""pytest's own exit status when tests ran and some failed."""


def main(wanted: list[str]) -> int:
    """Try each guard whose name holds one of the words; say what became of it."""
    guards = [guard for guard in GUARDS if not wanted or any(word in guard.name for word in wanted)]
    if not guards:
        _say(f"no guard's name holds any of: {' '.join(wanted)}. The names stand in tests/mutants/guards.py")
        return 2
    found: dict[str, str | None] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in _PACKAGES:
            _copy(_ROOT / name, Path(folder) / name)
        for guard in guards:
            began = time.monotonic()
            found[guard.name] = seen_by = _seen_by(guard, Path(folder))
            _say(f"{'caught  ' if seen_by else 'SURVIVED'}  {guard.name}  ({time.monotonic() - began:.0f} s)")
            if seen_by:
                _say(f"          by {seen_by}")
    survivors = sum(seen_by is None for seen_by in found.values())
    _say(f"{len(guards) - survivors} caught, {survivors} survived")
    if not (survivors or wanted):
        page = _ROOT / _PAGE
        text = replace_between(page.read_text(encoding="utf-8"), _table(found), "mutants")
        page.write_text(text, encoding="utf-8")
        _say(f"written to {_PAGE}")
    return 1 if survivors else 0


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    else:
        shutil.copy(source, target)


def _seen_by(guard: Guard, folder: Path) -> str | None:
    """Run the tests on the mutant; the first that fails, or None."""
    path = folder / guard.file
    original = path.read_text(encoding="utf-8")
    if original.count(guard.code) != 1:
        sys.exit(
            f"{guard.name}: its code stands {original.count(guard.code)} times in {guard.file}, not once."
        )
    path.write_text(original.replace(guard.code, guard.without), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *guard.tests]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    finally:
        path.write_text(original, encoding="utf-8")
    if done.returncode not in (0, _FAILED):
        sys.exit(f"{guard.name}: the tests could not be run.\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    return failed[1] if done.returncode == _FAILED and failed else None


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
