"""Measured times, shown at the end of a run: bounds are asserted, figures are for people."""

from collections.abc import Callable

import pytest

__all__ = ["Measured", "measured", "pytest_terminal_summary"]

Measured = Callable[[str, float], None]

_NAME = "measured"
_SHOWN = pytest.StashKey[bool]()


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Measured:
    """Note a measured time in seconds: `measured("until another worker had it", 3.2)`."""

    def note(what: str, seconds: float) -> None:
        request.node.user_properties.append((_NAME, f"{seconds:7.2f} s  {what}"))

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the times once, after everything else; reports bring them from wherever a test ran."""
    if config.stash.setdefault(_SHOWN, False):
        return  # several folders ask for it
    config.stash[_SHOWN] = True
    reports = [
        report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, ())
    ]
    lines = [
        f"{text}  [{report.nodeid.rpartition('::')[2]}]"
        for report in reports
        for name, text in getattr(report, "user_properties", ())
        if name == _NAME and report.when == "call"
    ]
    if lines:
        terminalreporter.section("measured times")
        for line in lines:
            terminalreporter.line(line)
