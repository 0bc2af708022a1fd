"""Reads the lines of `sqr-jobs check`."""

import re
from collections.abc import Callable

__all__ = ["Check", "Checked"]


class Checked:
    """What a check said: `lines` has, by part, the verdict and what was told."""

    def __init__(self, status: int, out: str) -> None:
        self.status = status
        self.lines: dict[str, tuple[str, str]] = {}
        for line in out.splitlines():
            found = re.fullmatch(r"(ok|note|FAULT)\s+(\S+(?: \S+)?)\s{2,}(\S.*)", line)
            assert found, f"no line of a check: {line}"
            self.lines[found[2]] = (found[1], found[3])
        assert self.status == (1 if self.faults else 0)

    @property
    def faults(self) -> list[str]:
        """The parts that do not hold."""
        return [what for what, (verdict, _) in self.lines.items() if verdict == "FAULT"]

    def fault(self, what: str) -> str:
        """Return what was told of a part that does not hold: one line, which ends with what to do."""
        verdict, told = self.lines[what]
        assert (self.status, verdict) == (1, "FAULT"), self.lines
        return told

    def note(self, what: str) -> str:
        """Return what was told of a part that holds, with something to know."""
        verdict, told = self.lines[what]
        assert verdict == "note", self.lines
        return told

    def ok(self, what: str) -> str:
        """Return what was told of a part that holds."""
        verdict, told = self.lines[what]
        assert verdict == "ok", self.lines
        return told


Check = Callable[..., Checked]
