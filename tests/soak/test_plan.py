"""A seed says everything: a run can be repeated, and each draws all there is."""

import itertools
from collections import Counter

import pytest

from tests.soak.faults import FAULTS
from tests.soak.kinds import Kind
from tests.soak.plan import EVERY_S, ORGS, USERS, Manner, Plan


def _plan(seed: int, jobs: int = 2_000) -> Plan:
    return Plan(seed=seed, jobs=jobs, faults=FAULTS)


def test_one_seed_is_one_plan() -> None:
    """What a run has found can be looked for again."""
    first, again, other = _plan(3), _plan(3), _plan(4)
    assert first.errands == again.errands
    assert first.errands != other.errands
    faults = [list(itertools.islice(plan.faults(), 50)) for plan in (first, again, other)]
    assert faults[0] == faults[1] != faults[2]


def test_a_full_run_has_forty_orgs_of_25_people_and_2000_jobs_beside_the_greedy_ones() -> None:
    """As is promised."""
    errands = _plan(1).errands
    orgs = Counter(errand.org for errand in errands)
    assert len(orgs) == ORGS
    assert len({(errand.org, errand.user) for errand in errands}) == ORGS * USERS
    assert len([errand for errand in errands if errand.manner is not Manner.GREEDY]) == 2_000
    assert len({errand.key for errand in errands}) == len(errands)


@pytest.mark.parametrize("jobs", [60, 2_000])
def test_every_kind_and_every_manner_comes(jobs: int) -> None:
    """A small run draws all of them too."""
    errands = _plan(11, jobs).errands
    assert {errand.kind for errand in errands} == set(Kind)
    assert {errand.manner for errand in errands} == set(Manner)


def test_a_fault_comes_every_seven_seconds_and_each_once_before_any_comes_twice() -> None:
    """Else a run might never meet one of them."""
    faults = list(itertools.islice(_plan(1).faults(), 2 * len(FAULTS)))
    assert [fault.at_s for fault in faults] == [EVERY_S * number for number in range(1, len(faults) + 1)]
    for half in (faults[: len(FAULTS)], faults[len(FAULTS) :]):
        assert sorted(fault.name for fault in half) == sorted(FAULTS)


def test_nobody_probes_their_own_org() -> None:
    """It would be no probe."""
    assert all(errand.prober != errand.org for errand in _plan(1).errands)
