"""The table counts what the injections showed, and a run that proves nothing fails."""

from dataclasses import replace

import pytest

from tests.matrix.cells import NAMES
from tests.matrix.checker import Verdict
from tests.matrix.outcome import Outcome
from tests.matrix.table import failures, summary, table

_CELL = NAMES["worker-killed@H"]
_GOOD = Outcome(cell=_CELL, has_struck=True, exposed=10, recovery_s=2.0, verdict=Verdict(accepted=12))


def _of_broker(*posts_s: float) -> Outcome:
    return replace(_GOOD, cell=NAMES["broker-flushed@C"], posts_s=list(posts_s))


def _calm(*posts_s: float) -> Outcome:
    return replace(_GOOD, cell=NAMES["cancelled@G"], posts_s=list(posts_s))


def test_a_cell_is_one_line_with_the_sums_of_its_injections() -> None:
    """Three divided by the exposed jobs bounds the loss."""
    lines = table([_GOOD, replace(_GOOD, recovery_s=3.5)]).splitlines()
    assert lines[2] == "| worker killed | H | 2 | 20 | 0 | 0 | 0 | 15 % | 100 % | 2.0 | 3.5 | 3.5 |"
    assert lines[3].startswith("| **all** |  | 2 | 20 |")


def test_jobs_that_end_lawfully_without_a_document_say_nothing_about_losses() -> None:
    """They are told, and the bound is over the others."""
    (line,) = table([replace(_GOOD, exposed=11, without_document=5)]).splitlines()[2:3]
    assert line.startswith("| worker killed | H | 1 | 11 | 5 | 0 | 0 | 50 % | 100 % |")


def test_a_loss_is_counted_and_has_no_bound() -> None:
    """The rule of three holds when nothing was lost."""
    lost = replace(_GOOD, verdict=Verdict(lost=["J1", "J1"], doubled=["J2"], violations=["I1: lost"]))
    assert (
        table([lost])
        .splitlines()[2]
        .startswith("| worker killed | H | 1 | 10 | 0 | 1 | 1 | unknown | unknown |")
    )
    assert failures([lost]) == ["worker-killed@H: I1: lost"]


def test_a_good_run_has_no_failures() -> None:
    """Else nobody could tell a bad one."""
    assert failures([_GOOD]) == []
    told = summary([_GOOD], fenced_off=4)
    assert "1 injections; 12 jobs were accepted." in told
    assert "Stale writes: 0; 4 were tried and fenced off." in told


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (replace(_GOOD, has_struck=False), "worker-killed@H: the fault did not strike"),
        (replace(_GOOD, exposed=7), "worker-killed@H: only 7 jobs were exposed"),
    ],
    ids=["not struck", "few exposed"],
)
def test_an_injection_that_proves_nothing_fails_the_run(outcome: Outcome, told: str) -> None:
    """Fair weather is no evidence."""
    assert failures([outcome]) == [told]


def test_slow_posts_fail_the_run_when_it_is_the_broker_that_makes_them_slow() -> None:
    """I16; a machine that is slow in calm weather says nothing about the broker."""
    assert failures([_of_broker(0.4), _calm(0.9)]) == []
    assert failures([_of_broker(0.8), _calm(0.9)]) == []
    (told,) = failures([_of_broker(0.8), _calm(0.3)])
    assert told.startswith("I16: a POST during a fault of the broker took 0.80 s")
