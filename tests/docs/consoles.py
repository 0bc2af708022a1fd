"""Runs the `console` blocks of a page as a reader would, and compares what is printed."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import Page

__all__ = ["Step", "exports", "run", "steps"]

_EXPORT = re.compile(r"^export (\w+)=(\S+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command with what it prints; `…` stands for any text of a line, or alone for any lines."""

    command: str
    printed: str


def steps(page: Page) -> list[Step]:
    """Read the commands of a page, in order."""
    found = []
    for block in page.blocks("console"):
        for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            command, _, printed = part.partition("\n")
            found.append(Step(command=command, printed=printed.strip()))
    return found


def exports(page: Page) -> dict[str, str]:
    """Read the variables that a page has its reader set."""
    return {name: value for block in page.blocks("sh") for name, value in _EXPORT.findall(block.text)}


def run(step: Step, folder: Path, environment: dict[str, str]) -> None:
    """Run a command in the reader's folder; what it prints must be what the page says."""
    ended = subprocess.run(
        ["bash", "-c", step.command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    printed = ended.stdout.strip()
    expected = "".join(map(_pattern, f"{step.printed}\n".splitlines(keepends=True)))
    assert re.fullmatch(expected, f"{printed}\n"), (
        f"$ {step.command}\n{printed}\n--- and the page says:\n{step.printed}"
    )


def _pattern(line: str) -> str:
    if line == "…\n":
        return r"(?:.*\n)*"
    return ".*".join(map(re.escape, line.split("…")))
