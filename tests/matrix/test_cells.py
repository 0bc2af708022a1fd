"""The grid has no silent holes: every fault at every phase is a cell, or has a reason why it can't be."""

from tests.matrix.cells import CELLS, NAMES, OVER, PHASES, batches
from tests.matrix.impossible import IMPOSSIBLE


def test_every_pair_of_fault_and_phase_is_run_or_explained() -> None:
    """A cell that nobody thought of would look like one that passed."""
    for fault in {cell.fault for cell in CELLS}:
        run = {cell.phase for cell in CELLS if cell.fault == fault}
        explained = {phase for told in IMPOSSIBLE if fault in told.faults for phase in told.phases}
        assert run == {OVER} or run | explained == set(PHASES), fault
        assert run & explained == set(), fault


def test_every_reason_is_about_a_fault_that_there_is() -> None:
    """A reason that outlived its fault would explain nothing."""
    faults = {cell.fault for cell in CELLS}
    assert [fault for told in IMPOSSIBLE for fault in told.faults if fault not in faults] == []


def test_no_two_cells_have_one_name() -> None:
    """`--only` finds a cell by it."""
    assert len(NAMES) == len(CELLS)


def test_cells_that_need_other_programs_are_run_in_a_row_and_none_is_left_out() -> None:
    """Each of them would start programs of another version or clock, and then the usual ones again."""
    of_versions, of_clocks, *others = batches(CELLS)
    assert {cell.has_next_version is not None for cell in of_versions} == {True}
    assert {cell.fault.partition(" of")[0] for cell in of_clocks} == {"clock"}
    assert [len(batch) for batch in others] == [1] * len(others)
    assert sorted(cell.name for batch in batches(CELLS) for cell in batch) == sorted(NAMES)


def test_every_cell_is_confirmed_by_something() -> None:
    """A cell without an order, an injury or a proxy's strike would measure fair weather."""
    assert [cell.name for cell in CELLS if not (cell.orders or cell.injury or cell.strike)] == []
