"""The bare parts in a process of their own, as the measuring side sees it."""

import json
import subprocess
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.acceptance.program import ROOT
from tests.bench.figures import MeasurementBroken

__all__ = ["BareProcess", "Made"]


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a batch took."""

    cpu_s: float
    wall_s: float
    size: int
    """Bytes of the last document."""


class BareProcess:
    """Runs `tests.bench.bare_worker`; `store` says where its documents go."""

    def __init__(self, store: dict[str, Any]) -> None:
        self._store = store
        self._made = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.bare_worker"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def order(self, count: int) -> None:
        """Let it begin a batch."""
        assert self._process.stdin is not None
        order = {"first": self._made, "count": count, **self._store}
        self._made += count
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Made:
        """Wait for the batch."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise MeasurementBroken(f"the bare parts ended with status {self._process.wait()}")
        return Made(**json.loads(line))

    def make(self, count: int) -> Made:
        """Begin a batch and wait for it."""
        self.order(count)
        return self.answer()
