"""The measuring session's own arithmetic: a figure that is shown must be the one that was measured."""

import math

import pytest

from tests.bench.figures import (
    MeasurementBroken,
    Row,
    at_least,
    at_most,
    median,
    ms,
    percentile,
    replace_between,
    table,
)


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1)], ids=["p50", "p99", "all", "first"]
)
def test_a_percentile_is_a_sample_that_so_many_do_not_exceed(share: float, expected: float) -> None:
    """An interpolated p99 would be a time that nobody waited."""
    assert percentile(reversed(range(1, 101)), share) == expected


def test_the_p99_of_few_samples_is_the_worst() -> None:
    """A rare case must not vanish because little was measured."""
    assert percentile([1, 9, 2], 0.99) == 9


@pytest.mark.parametrize("samples", [[], [1.0, math.nan], [math.inf], [-0.1]])
def test_no_samples_and_impossible_ones_break_the_measurement(samples: list[float]) -> None:
    """A run in which nothing was measured must not end in a table."""
    with pytest.raises(MeasurementBroken):
        median(samples)
    with pytest.raises(MeasurementBroken):
        percentile(samples, 0.5)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.001234, "1.23 ms"), (0.01234, "12.3 ms"), (0.1234, "123 ms")]
)
def test_times_are_shown_with_three_digits(seconds: float, shown: str) -> None:
    """More digits would promise what a measurement does not hold."""
    assert ms(seconds) == shown


def test_a_row_judges_its_ratio_against_its_aim() -> None:
    """Whoever reads the table sees what was aimed at and whether it was reached."""
    kept = Row(
        what="create", form="both", measured="2 ms", compared="1.75 ms", ratio=1.1501, aim=at_most(1.15)
    )
    assert kept.cells() == ("create", "both", "2 ms", "1.75 ms", "1.15", "≤ 1.15", "met")
    missed = Row(what="create", form="both", measured="2 ms", ratio=1.156, aim=at_most(1.15))
    assert missed.cells()[-3:] == ("1.16", "≤ 1.15", "missed")
    assert (at_least(0.85).verdict(0.85), at_least(0.85).verdict(0.84)) == ("met", "missed")


def test_a_row_judges_another_figure_where_one_is_named() -> None:
    """A latency is held against its aim itself, whatever stands in the column of ratios."""
    row = Row(what="p50", form="both", measured="6 ms", ratio=0.5, aim=at_most(5, " ms"), judged=6.0)
    assert row.cells()[-3:] == ("0.50", "≤ 5 ms", "missed")


def test_an_aim_without_a_figure_breaks_the_table() -> None:
    """It would look as if there were none."""
    with pytest.raises(MeasurementBroken):
        Row(what="p50", form="both", measured="?", aim=at_most(1)).cells()


def test_the_table_is_markdown_with_a_line_for_each_row() -> None:
    """It stands in a page; a bar in a text must not open another column."""
    lines = table([Row(what="a | b", form="embedded", measured="1 ms")]).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("| What | Form | Measured |")
    assert lines[2] == "| a \\| b | embedded | 1 ms |   |   |   |   |"


def test_an_empty_table_breaks_the_measurement() -> None:
    """The page would lose its figures."""
    with pytest.raises(MeasurementBroken):
        table([])


def test_only_what_stands_between_the_markers_is_replaced() -> None:
    """The prose around it is written by hand."""
    page = "before\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nafter\n"
    assert replace_between(page, "new") == page.replace("old", "new")
    with pytest.raises(ValueError, match="markers"):
        replace_between("no markers", "new")
