"""Explores every reachable state, and says which promise is broken, by which events."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from sqr_jobs.domain.states import ACTIVE, TERMINAL, JobState, api_status
from tests.model.protocol import POLICY, Faults, Row, Rules, State, Step, steps

__all__ = ["Explored", "explore"]

_MOST_ATTEMPTS = POLICY.max_failures + POLICY.max_crashes + 1
"""Each failure, each crash, and a give back is an attempt; the last failure or crash ends the job."""
_ORDER = {"PENDING": 0, "IN_PROGRESS": 1, "COMPLETE": 2, "FAILED": 2}


@dataclass(frozen=True, kw_only=True)
class Explored:
    """What was found."""

    states: int
    steps: int
    broken: tuple[str, ...]
    """The broken promises, each with the shortest way to it."""


def explore(rules: Rules, faults: Faults, *, at_most: int = 2_000_000) -> Explored:
    """Visit every state, breadth first, and stop at the first broken promise."""
    start = State(faults=faults)
    came_from: dict[State, tuple[State, str] | None] = {start: None}
    back: dict[State, list[tuple[State, Step]]] = {}
    waiting = deque([start])
    count = 0
    while waiting:
        state = waiting.popleft()
        for step in map(_simplified, steps(state, rules)):
            count += 1
            fault = _broken(state, step.to)
            is_new = step.to not in came_from
            if is_new:
                came_from[step.to] = (state, step.name)
                waiting.append(step.to)
            if fault is not None:
                way = [*_way(came_from, state), step.name]
                return Explored(states=len(came_from), steps=count, broken=(f"{fault}: {' → '.join(way)}",))
            back.setdefault(step.to, []).append((state, step))
        assert len(came_from) <= at_most, "the model has grown without bounds"
    stuck = _stuck(came_from, back)
    broken = tuple(f"{what}: {' → '.join(_way(came_from, state))}" for what, state in stuck)
    return Explored(states=len(came_from), steps=count, broken=broken)


def _simplified(step: Step) -> Step:
    """Forget what can make no difference any more: a job that has ended is hurt by no further fault."""
    row = step.to.row
    if row is None or row.state not in TERMINAL:
        return step
    return replace(step, to=step.to._replace(faults=Faults(0, 0, 0, 0, 0, 0)))


def _broken(before: State, after: State) -> str | None:  # noqa: C901, PLR0911 - one line for each promise
    row, was = after.row, before.row
    if after.web.startswith("answered") and row is None:
        return "I1: answered 202 and not committed"
    if after.web == "dead, and had answered" and row is None:
        return "I1: answered 202 and lost"
    if row is None:
        return None
    if was is not None and was.state in TERMINAL and (row.state, row.document) != (was.state, was.document):
        return "I3: a terminal state changed"
    if row.state is JobState.COMPLETE and dict(after.objects).get(_key(row, after)) != row.document:
        return "I5: COMPLETE without the bytes of the attempt that completed"
    if len(set(row.claims)) != len(row.claims):
        return "I8: two claims of one attempt"
    if row.state is JobState.COMPLETE and row.deadline_passed:
        return "I6: completed after its deadline"
    if row.attempt > _MOST_ATTEMPTS:
        return "I9: more attempts than the bounds allow"
    if was is not None and _ORDER[api_status(row.state)] < _ORDER[api_status(was.state)]:
        return "I13: the status went backwards"
    if was is not None and _is_stale_write(before, after):
        return "I4: a write of an attempt that was over"
    return None


def _key(row: Row, state: State) -> int:
    keys = dict(state.objects)
    return row.document if row.document in keys else 0


def _is_stale_write(before: State, after: State) -> bool:
    """Say whether a worker moved a row that another attempt, or nobody, held."""
    was, row = before.row, after.row
    assert was is not None
    assert row is not None
    ended = [worker for worker in before.workers if worker not in after.workers]
    if len(ended) != 1 or ended[0].phase not in ("rendering", "stored", "rendered"):
        return False
    return was.state != row.state and (was.state is not JobState.RUNNING or was.attempt != ended[0].attempt)


def _stuck(
    states: dict[State, tuple[State, str] | None], back: dict[State, list[tuple[State, Step]]]
) -> Iterator[tuple[str, State]]:
    """Find active jobs from which no end can be reached without another fault."""
    ends = [state for state in states if state.row is not None and state.row.state in TERMINAL]
    can_end = _reaching(ends, back, lambda step: not step.is_fault and not step.is_time)
    for state in states:
        row = state.row
        if row is None or row.state not in ACTIVE or state in can_end:
            continue
        yield (
            ("I6: past its deadline and never ended" if row.deadline_passed else "I7: no end in reach"),
            state,
        )
        return


def _reaching(
    ends: list[State], back: dict[State, list[tuple[State, Step]]], counts: Callable[[Step], bool]
) -> set[State]:
    reached = set(ends)
    waiting = deque(ends)
    while waiting:
        for before, step in back.get(waiting.popleft(), ()):
            if counts(step) and before not in reached:
                reached.add(before)
                waiting.append(before)
    return reached


def _way(came_from: dict[State, tuple[State, str] | None], state: State) -> list[str]:
    names: list[str] = []
    while (link := came_from[state]) is not None:
        state, name = link
        names.append(name)
    return names[::-1]
