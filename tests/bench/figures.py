"""From samples to the table: percentiles, aims, verdicts. Standard library only."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = [
    "Aim",
    "MeasurementBroken",
    "Row",
    "at_least",
    "at_most",
    "median",
    "ms",
    "percentile",
    "replace_between",
    "table",
]

_HEAD = ("What", "Form", "Measured", "Compared with", "Ratio", "Aim", "Verdict")


class MeasurementBroken(RuntimeError):
    """A measurement has no samples, or what it measured went wrong: its figure would be a lie."""


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What a figure should reach, judged as it is shown: to two digits after the point."""

    limit: float
    is_ceiling: bool
    unit: str = ""

    def __str__(self) -> str:
        """Show it as `≤ 1.2`."""
        return f"{'≤' if self.is_ceiling else '≥'} {self.limit:g}{self.unit}"

    def verdict(self, value: float) -> str:
        """Say `met` or `missed`."""
        shown = round(value, 2)
        return "met" if (shown <= self.limit if self.is_ceiling else shown >= self.limit) else "missed"


def at_most(limit: float, unit: str = "") -> Aim:
    """Aim at no more than this."""
    return Aim(limit=limit, is_ceiling=True, unit=unit)


def at_least(limit: float) -> Aim:
    """Aim at no less than this."""
    return Aim(limit=limit, is_ceiling=False)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table. With an aim, `judged` is the figure that is held against it."""

    what: str
    form: str
    measured: str
    compared: str = ""
    ratio: float | None = None
    aim: Aim | None = None
    judged: float | None = None

    def cells(self) -> tuple[str, ...]:
        """Return what stands in the columns; a ratio with an aim is judged itself where nothing else is."""
        judged = self.ratio if self.judged is None else self.judged
        if self.aim is not None and judged is None:
            raise MeasurementBroken(f"{self.what}: an aim, and no figure to hold against it")
        verdict = self.aim.verdict(judged) if self.aim is not None and judged is not None else ""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        aim = "" if self.aim is None else str(self.aim)
        return (self.what, self.form, self.measured, self.compared, ratio, aim, verdict)


def median(samples: Iterable[float]) -> float:
    """Return the middle of the samples. Raises `MeasurementBroken` for none."""
    found = _usable(samples)
    return statistics.median(found)


def percentile(samples: Iterable[float], share: float) -> float:
    """Return the smallest sample that so large a share of all does not exceed (nearest rank).

    Raises `MeasurementBroken` for none.
    """
    found = sorted(_usable(samples))
    return found[max(math.ceil(share * len(found)), 1) - 1]


def ms(seconds: float) -> str:
    """Show a time in milliseconds, with two digits where there are few."""
    value = seconds * 1000
    return f"{value:.2f} ms" if value < 10 else f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


def table(rows: Sequence[Row]) -> str:
    """Write the rows as a Markdown table."""
    if not rows:
        raise MeasurementBroken("no rows: nothing was measured")
    lines = [_HEAD, tuple("---" for _ in _HEAD), *(row.cells() for row in rows)]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") or " " for cell in line) + " |" for line in lines
    )


def replace_between(page: str, text: str, name: str = "bench") -> str:
    """Put the text between the page's two marker comments of a name.

    Raises `ValueError` where they are not.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, begun, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not (begun and ended):
        raise ValueError(f"The page lacks its markers {begin} and {end}.")
    return f"{before}{begin}\n{text.strip()}\n{end}{after}"


def _usable(samples: Iterable[float]) -> list[float]:
    found = list(samples)
    if not found:
        raise MeasurementBroken("no samples")
    if not all(math.isfinite(sample) and sample >= 0 for sample in found):
        raise MeasurementBroken(f"samples that are no measured amounts: {found[:5]}")
    return found
