"""Environments that have nothing but what was installed into them, used from outside the tree."""

import os
import subprocess
import sys
from pathlib import Path

from tests.packaging.requirements import ROOT

__all__ = ["CleanEnvironment"]

_INSTALL_S, _RUN_S = 300, 90


class CleanEnvironment:
    """A virtual environment with a folder beside it, in which its programs run."""

    def __init__(self, folder: Path) -> None:
        self._environment = folder / "environment"
        self.work = folder / "work"
        self.work.mkdir(parents=True)
        subprocess.run([sys.executable, "-m", "venv", self._environment], check=True, timeout=_INSTALL_S)

    def install(self, *requirements: str) -> None:
        """Install at the pinned versions, as `pip` does it."""
        constraints = ("--constraint", str(ROOT / ".ci" / "constraints.txt"))
        pip = ("python", "-m", "pip", "install", "--quiet", "--no-compile", *constraints)
        done = self._started(*pip, *requirements, seconds=_INSTALL_S)
        assert done.returncode == 0, done.stderr

    def run(self, program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program of this environment to its end."""
        return self._started(program, *arguments, seconds=_RUN_S, **variables)

    def tells(self, program: str, *arguments: str, **variables: str) -> str:
        """Run a program that must succeed, and return what it printed."""
        done = self.run(program, *arguments, **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _started(
        self, program: str, *arguments: str, seconds: float, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in os.environ if not name.startswith(("SQR_", "PYTHON"))}
        own = {"HOME": str(self.work), "VIRTUAL_ENV": str(self._environment), "NO_COLOR": "1"}
        if "install" in arguments:
            own.pop("HOME")  # where the cache of wheels lies
        return subprocess.run(
            [self._environment / "bin" / program, *arguments],
            cwd=self.work,
            env=kept | own | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self._environment / "bin" / "python"
