"""One job's protocol, abstract enough to explore every order of events.

Time is two events that may happen at any moment, the lease's end and the deadline, so every pause and every
clock is covered: a worker that goes on after its lease has passed is a zombie. Decisions (which transition
leads where, what follows a failure) are the product's own, from `sqr_jobs.domain`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sqr_jobs.domain.failures import GiveUp, JobErrorCode, RetryPolicy, after_failure, after_lost_lease
from sqr_jobs.domain.states import ACTIVE, TRANSITIONS, JobState, Transition

__all__ = ["POLICY", "Faults", "Row", "Rules", "State", "Step", "Worker", "steps"]

POLICY = RetryPolicy(max_failures=2, max_crashes=2)
_MESSAGES = 2
_ENDLESS = 1_000_000


@dataclass(frozen=True)
class Rules:
    """The guards of the protocol; a mutant lacks one of them."""

    answers_after_commit: bool = True
    relay_rings: bool = True
    claim_looks_at_state: bool = True
    each_claim_is_a_new_attempt: bool = True
    writes_look_at_state: bool = True
    writes_look_at_attempt: bool = True
    writes_look_at_deadline: bool = True
    stores_before_it_completes: bool = True
    each_attempt_has_its_key: bool = True
    reaper_takes_lost_leases: bool = True
    reaper_ends_the_overdue: bool = True
    reaper_looks_again: bool = True
    crashes_are_bounded: bool = True
    failures_are_bounded: bool = True


class Faults(NamedTuple):
    """How many of each may still happen."""

    web_deaths: int = 1
    worker_deaths: int = 1
    lost_messages: int = 1
    doubled_messages: int = 1
    give_backs: int = 1
    cancels: int = 1


class Row(NamedTuple):
    """The job as committed."""

    state: JobState = JobState.QUEUED
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    lease_passed: bool = False
    deadline_passed: bool = False
    document: int = 0
    """The attempt whose document was recorded; 0 for none."""
    claims: tuple[int, ...] = ()
    """The number of each attempt that was ever claimed."""


class Worker(NamedTuple):
    """What one worker believes; nothing of it is looked up again before it writes."""

    phase: str = "idle"
    attempt: int = 0


class State(NamedTuple):
    """Everything that a step may change."""

    web: str = "asked"
    row: Row | None = None
    messages: int = 0
    workers: tuple[Worker, ...] = (Worker(), Worker())
    objects: tuple[tuple[int, int], ...] = ()
    """Which attempt's bytes lie under which key."""
    seen_by_reaper: Row | None = None
    """What a reaper read, and may write upon at any later moment."""
    faults: Faults = Faults()


@dataclass(frozen=True)
class Step:
    """One thing that may happen next."""

    name: str
    to: State
    is_fault: bool = False
    is_time: bool = False
    """The deadline passed: allowed at any moment, needed for nothing but I6."""


def steps(state: State, rules: Rules) -> Iterator[Step]:
    """Give everything that may happen next."""
    yield from _web(state, rules)
    yield from _broker(state, rules)
    for number, worker in enumerate(state.workers):
        yield from _work(state, number, worker, rules)
    if state.row is not None:
        yield from _time(state, state.row)
        yield from _reaper(state, state.row, rules)
        yield from _cancel(state, state.row)


def _web(state: State, rules: Rules) -> Iterator[Step]:
    faults = state.faults
    match state.web:
        case "asked":
            if not rules.answers_after_commit:
                yield Step("202 before the commit", state._replace(web="answered, not committed"))
            yield Step("commit", state._replace(web="committed", row=Row()))
        case "answered, not committed":
            yield Step("commit", state._replace(web="answered", row=Row()))
        case "committed":
            yield Step("202", state._replace(web="answered"))
        case "answered":
            yield Step("ring", state._replace(web="gone", messages=min(state.messages + 1, _MESSAGES)))
    if state.web not in ("gone", "dead", "dead, and had answered") and faults.web_deaths:
        had_answered = state.web.startswith("answered")
        yield Step(
            "web dies",
            state._replace(
                web="gone" if state.row is not None else "dead, and had answered" if had_answered else "dead",
                faults=faults._replace(web_deaths=faults.web_deaths - 1),
            ),
            is_fault=True,
        )


def _broker(state: State, rules: Rules) -> Iterator[Step]:
    faults = state.faults
    if state.messages and faults.lost_messages:
        left = faults._replace(lost_messages=faults.lost_messages - 1)
        yield Step(
            "a message is lost", state._replace(messages=state.messages - 1, faults=left), is_fault=True
        )
    if 0 < state.messages < _MESSAGES and faults.doubled_messages:
        left = faults._replace(doubled_messages=faults.doubled_messages - 1)
        yield Step("a message is doubled", state._replace(messages=_MESSAGES, faults=left), is_fault=True)
    row = state.row
    if rules.relay_rings and row is not None and _is_due(row) and state.messages == 0:
        yield Step("relay rings", state._replace(messages=1))


def _is_due(row: Row) -> bool:
    return row.state in TRANSITIONS[Transition.CLAIM][0] and not row.deadline_passed


def _work(  # noqa: C901, PLR0912 - one case for each phase
    state: State, number: int, worker: Worker, rules: Rules
) -> Iterator[Step]:
    def being(phase: str, attempt: int | None = None, **changes: object) -> State:
        now = worker._replace(phase=phase, attempt=worker.attempt if attempt is None else attempt)
        others = [other for place, other in enumerate(state.workers) if place != number]
        return state._replace(workers=tuple(sorted([*others, now])), **changes)  # type: ignore[arg-type]

    row, faults = state.row, state.faults
    if worker.phase != "idle" and faults.worker_deaths:
        left = faults._replace(worker_deaths=faults.worker_deaths - 1)
        yield Step("worker dies", being("idle", 0, faults=left), is_fault=True)
    match worker.phase:
        case "idle":
            if state.messages:
                yield Step("fetch", being("told", 0, messages=state.messages - 1))
        case "told":
            assert row is not None
            claimed = _claimed(row, rules)
            if claimed is None:
                yield Step("nothing to claim", being("idle", 0))
            else:
                yield Step("claim", being("rendering", claimed.attempt, row=claimed))
        case "rendering":
            yield Step("rendered", being("rendered"))
            for code in (JobErrorCode.REPORT_DATA_UNAVAILABLE, JobErrorCode.RENDER_FAILED):
                yield Step(f"fails: {code}", being("idle", 0, row=_failed(row, worker, code, rules)))
            if faults.give_backs:
                left = faults._replace(give_backs=faults.give_backs - 1)
                given = _moved(row, worker, Transition.GIVE_BACK, rules)
                yield Step("gives back", being("idle", 0, row=given, faults=left))
        case "rendered":
            stored = being("stored", objects=_stored(state.objects, worker.attempt, rules))
            done = _moved(row, worker, Transition.COMPLETE, rules, document=worker.attempt)
            if rules.stores_before_it_completes:
                yield Step("store", stored)
            else:
                yield Step("complete, then store", being("to store", row=done))
        case "to store":
            yield Step("store", being("idle", 0, objects=_stored(state.objects, worker.attempt, rules)))
        case "stored":
            done = _moved(row, worker, Transition.COMPLETE, rules, document=worker.attempt)
            yield Step("complete", being("idle", 0, row=done))


def _claimed(row: Row, rules: Rules) -> Row | None:
    if row.deadline_passed or (rules.claim_looks_at_state and not _is_due(row)):
        return None
    attempt = row.attempt + 1 if rules.each_claim_is_a_new_attempt or row.attempt == 0 else row.attempt
    return row._replace(
        state=TRANSITIONS[Transition.CLAIM][1],
        attempt=attempt,
        lease_passed=False,
        claims=(*row.claims, attempt),
    )


def _moved(
    row: Row | None, worker: Worker, transition: Transition, rules: Rules, **values: object
) -> Row | None:
    """Write as an attempt does: nothing, if the row is not this attempt's any more."""
    assert row is not None
    sources, target = TRANSITIONS[transition]
    if rules.writes_look_at_state and row.state not in sources:
        return row
    if rules.writes_look_at_attempt and row.attempt != worker.attempt:
        return row
    if rules.writes_look_at_deadline and row.deadline_passed:
        return row
    return row._replace(state=target, lease_passed=False, **values)  # type: ignore[arg-type]


def _failed(row: Row | None, worker: Worker, code: JobErrorCode, rules: Rules) -> Row | None:
    assert row is not None
    decision = after_failure(
        code,
        failures=row.failures,
        crashes=row.crashes,
        same_before=0,
        left_ms=_ENDLESS,
        policy=POLICY if rules.failures_are_bounded else RetryPolicy(max_failures=_ENDLESS),
        jitter=0,
    )
    transition = Transition.FAIL if isinstance(decision, GiveUp) else Transition.RETRY
    counts = {"failures": decision.failures, "crashes": decision.crashes}
    return _moved(row, worker, transition, rules, **counts)


def _stored(objects: tuple[tuple[int, int], ...], attempt: int, rules: Rules) -> tuple[tuple[int, int], ...]:
    key = attempt if rules.each_attempt_has_its_key else 0
    return tuple(sorted({**dict(objects), key: attempt}.items()))


def _time(state: State, row: Row) -> Iterator[Step]:
    if row.state is JobState.RUNNING and not row.lease_passed:
        yield Step("the lease passes", state._replace(row=row._replace(lease_passed=True)))
    if row.state in ACTIVE and not row.deadline_passed:
        yield Step(
            "the deadline passes", state._replace(row=row._replace(deadline_passed=True)), is_time=True
        )


def _reaper(state: State, row: Row, rules: Rules) -> Iterator[Step]:
    seen = state.seen_by_reaper
    if seen is None:
        lost = rules.reaper_takes_lost_leases and row.state is JobState.RUNNING and row.lease_passed
        overdue = rules.reaper_ends_the_overdue and row.state in ACTIVE and row.deadline_passed
        if lost or overdue:
            yield Step("a reaper reads", state._replace(seen_by_reaper=row))
        return
    stands = (row.state, row.attempt) == (seen.state, seen.attempt) and (
        row.deadline_passed if seen.deadline_passed else row.lease_passed
    )
    written = _reaped(row, seen, rules) if stands or not rules.reaper_looks_again else row
    yield Step("the reaper writes", state._replace(row=written, seen_by_reaper=None))


def _reaped(row: Row, seen: Row, rules: Rules) -> Row:
    if seen.deadline_passed:
        return row._replace(state=TRANSITIONS[Transition.EXPIRE][1], lease_passed=False)
    policy = POLICY if rules.crashes_are_bounded else RetryPolicy(max_crashes=_ENDLESS)
    decision = after_lost_lease(failures=seen.failures, crashes=seen.crashes, policy=policy)
    transition = Transition.FAIL if isinstance(decision, GiveUp) else Transition.LOSE
    return row._replace(state=TRANSITIONS[transition][1], crashes=decision.crashes, lease_passed=False)


def _cancel(state: State, row: Row) -> Iterator[Step]:
    if row.state in ACTIVE and state.faults.cancels:
        left = state.faults._replace(cancels=state.faults.cancels - 1)
        cancelled = row._replace(state=TRANSITIONS[Transition.CANCEL][1], lease_passed=False)
        yield Step("cancel", state._replace(row=cancelled, faults=left), is_fault=True)
