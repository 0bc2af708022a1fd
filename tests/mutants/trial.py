"""A copy of the tree, in which one guard at a time is missing while its tests run."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.mutants.guards import Guard

__all__ = ["COPIED", "Trial"]

COPIED = ("sqr_jobs", "sqr_jobs_flask", "sqr_jobs_fastapi", "tests", "docs", "pyproject.toml")
_PASSED, _FAILED = 0, 1
"""pytest's own exit statuses: when tests ran, and when some of them failed or could not be set up."""
_SHOWN = 5


class Trial:
    """Runs guards' tests on a copy of the tree `root`, made in `folder`."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._folder = folder
        for name in COPIED:
            _copy(root / name, folder / name)

    def faults(self, guards: Iterable[Guard]) -> list[str]:
        """Run the tests of all these guards on the code as it is; say what is wrong with them.

        Where they fail with every guard in its place, their failing without one proves nothing.
        """
        tests = dict.fromkeys(test for guard in guards for test in guard.tests)
        done = self._run(f"--maxfail={_SHOWN}", *tests)
        if done.returncode == _PASSED:
            return []
        said = _lines(done, "FAILED|ERROR") if done.returncode == _FAILED else []
        return said or [done.stdout[-2000:] + done.stderr[-2000:]]

    def seen_by(self, guard: Guard) -> str | None:
        """Run a guard's tests without it; the first that fails, or None.

        A test whose set-up went wrong has not run, and so has seen nothing.
        """
        path = self._folder / guard.file
        original = path.read_text(encoding="utf-8")
        if original.count(guard.code) != 1:
            sys.exit(
                f"{guard.name}: its code stands {original.count(guard.code)} times in {guard.file}, not once."
            )
        path.write_text(original.replace(guard.code, guard.without), encoding="utf-8")
        try:
            done = self._run("--exitfirst", *guard.tests)
            if done.returncode == _FAILED and not _lines(done, "FAILED"):
                done = self._run(*guard.tests)  # an error in set-up was first: look at what comes after it
        finally:
            path.write_text(original, encoding="utf-8")
        if done.returncode not in (_PASSED, _FAILED):
            sys.exit(f"{guard.name}: the tests could not be run.\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        failed = _lines(done, "FAILED")
        return failed[0].split()[1] if failed else None

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(self._folder), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            command, cwd=self._folder, env=environment, capture_output=True, text=True, check=False
        )


def _lines(done: subprocess.CompletedProcess[str], outcomes: str) -> list[str]:
    """Read the lines of pytest's summary that tell of these outcomes."""
    return re.findall(rf"^(?:{outcomes}) \S+.*$", done.stdout, re.MULTILINE)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    else:
        shutil.copy(source, target)
