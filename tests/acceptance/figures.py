"""Measured times, shown at the end of a run: bounds are asserted, figures are for people."""

from collections.abc import Callable

import pytest

__all__ = ["Measured", "measured", "pytest_terminal_summary"]

Measured = Callable[[str, float], None]

_KEY = pytest.StashKey[list[tuple[str, str, float]]]()


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Measured:
    """Note a measured time in seconds: `measured("until another worker had it", 3.2)`."""

    def note(what: str, seconds: float) -> None:
        request.config.stash.setdefault(_KEY, []).append((request.node.name, what, seconds))

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the times once, after everything else."""
    figures = config.stash.get(_KEY, [])
    if figures:
        terminalreporter.section("measured times")
        for test, what, seconds in figures:
            terminalreporter.line(f"{seconds:7.2f} s  {what}  [{test}]")
        figures.clear()
