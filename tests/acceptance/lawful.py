"""What every history must look like, whatever happened to the processes that wrote it."""

import itertools
from collections.abc import Sequence

from sqr_jobs import JobState
from sqr_jobs.domain.job import JobEvent
from sqr_jobs.domain.states import TERMINAL, TRANSITIONS, Transition

__all__ = ["assert_lawful", "ways"]


def assert_lawful(history: Sequence[JobEvent]) -> None:
    """Check a finished job's audit rows: a chain of allowed transitions to one end (I3, I4, I8)."""
    shown = "\n".join(f"{event.from_state} -> {event.to_state} ({event.why})" for event in history)
    assert history, "no history"
    assert (history[0].from_state, history[0].to_state) == (None, JobState.QUEUED), shown
    attempt, token = 0, None
    tokens = set()
    for before, event in itertools.pairwise(history):
        assert event.from_state == before.to_state, shown
        sources, target = TRANSITIONS[Transition(event.why)]
        assert event.from_state in sources, shown
        assert event.to_state == target, shown
        if event.why == Transition.CLAIM:
            assert event.attempt == attempt + 1, f"attempt {event.attempt} after {attempt}:\n{shown}"
            assert event.token not in tokens, "a token was given twice"
            attempt, token = event.attempt, event.token
            tokens.add(token)
        else:
            assert (event.attempt, event.token) == (attempt, token), f"not the claim's own:\n{shown}"
    ends = [event for event in history if event.to_state in TERMINAL]
    assert ends == [history[-1]], f"not exactly one end:\n{shown}"


def ways(history: Sequence[JobEvent]) -> list[str]:
    """Name the transitions that a job went through, from its creation on."""
    return [event.why for event in history]
