"""The states and the ways between them."""

from sqr_jobs.domain.states import ACTIVE, TERMINAL, TRANSITIONS, JobState, api_status


def test_a_terminal_state_is_left_by_no_transition() -> None:
    """I3: exactly one terminal transition, then never another state."""
    assert not [name for name, (sources, _) in TRANSITIONS.items() if sources & TERMINAL]


def test_every_active_state_can_be_ended_by_deadline_and_cancel() -> None:
    """I6: nothing that is active may escape its end."""
    endings = [sources for sources, target in TRANSITIONS.values() if target in TERMINAL]
    assert endings.count(ACTIVE) == 2


def test_the_api_never_goes_backwards_along_any_transition() -> None:
    """I13: PENDING, IN_PROGRESS, then an end; a wait between attempts stays IN_PROGRESS."""
    rank = {"PENDING": 0, "IN_PROGRESS": 1, "COMPLETE": 2, "FAILED": 2}
    for sources, target in TRANSITIONS.values():
        for source in sources:
            assert rank[api_status(source)] <= rank[api_status(target)], (source, target)
    assert {api_status(state) for state in JobState} == set(rank)
