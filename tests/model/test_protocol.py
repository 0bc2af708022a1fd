"""Every order of events, explored in full: no promise breaks, and each guard is needed.

The broker loses and doubles, web and workers die anywhere, leases and deadlines pass at any moment, a reaper
writes upon what it read long ago. Several faults in one run multiply the states, so the default explores two
mixes of them; `SQR_TEST_WHOLE_MODEL=1`, which `nox -s model` sets, explores all of them together.
"""

import os
from dataclasses import fields, replace

import pytest

from tests.model.explore import explore
from tests.model.protocol import Faults, Rules

_NONE = Faults(0, 0, 0, 0, 0, 0)
_DEATHS = Faults(web_deaths=1, worker_deaths=1, lost_messages=1, doubled_messages=0, give_backs=0, cancels=1)
_TWINS = _NONE._replace(doubled_messages=1, cancels=1)
_WHOLE = {"all of them": (Faults(), 444_452)} if os.environ.get("SQR_TEST_WHOLE_MODEL") else {}
_MIXES = {
    "deaths and a lost message": (_DEATHS, 62_608),
    "a doubled message": (_TWINS, 36_464),
    **_WHOLE,
}
"""What may go wrong, and how many states that makes; docs/explanation/reliability.md names them."""

_MUTANTS = {
    "answers_after_commit": (_DEATHS, "I1"),
    "relay_rings": (_DEATHS, "I7"),
    "claim_looks_at_state": (_DEATHS, "I3"),
    "each_claim_is_a_new_attempt": (_TWINS, "I8"),
    "writes_look_at_state": (_TWINS, "I3"),
    "writes_look_at_attempt": (_TWINS, "I4"),
    "writes_look_at_deadline": (_NONE, "I6"),
    "stores_before_it_completes": (_NONE, "I5"),
    "each_attempt_has_its_key": (_TWINS, "I5"),
    "reaper_takes_lost_leases": (_DEATHS, "I7"),
    "reaper_ends_the_overdue": (_NONE, "I6"),
    "reaper_looks_again": (_TWINS, "I3"),
    "crashes_are_bounded": (_NONE, "I9"),
    "failures_are_bounded": (_NONE, "I9"),
}


@pytest.mark.parametrize(("faults", "states"), _MIXES.values(), ids=_MIXES)
def test_whatever_happens_in_whatever_order_no_promise_breaks(faults: Faults, states: int) -> None:
    """The whole space: what is broken would be told with the shortest run of events that leads there."""
    found = explore(Rules(), faults)
    assert found.broken == ()
    assert found.states == states


@pytest.mark.parametrize("guard", [guard.name for guard in fields(Rules)])
def test_without_a_guard_a_promise_breaks(guard: str) -> None:
    """A guard that nothing needs would be a guard that this model does not see."""
    faults, promise = _MUTANTS[guard]
    found = explore(replace(Rules(), **{guard: False}), faults)
    assert len(found.broken) == 1
    assert found.broken[0].startswith(f"{promise}:"), found.broken
