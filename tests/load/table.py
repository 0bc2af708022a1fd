"""From a run to the page's text."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from tests.bench.figures import ms, percentile
from tests.load.judge import (
    AGE_S,
    DESCRIPTORS,
    DRAIN_S,
    LATE_S,
    MEMORY_BYTES,
    MEMORY_SHARE,
    POST_S,
    Phase,
    ages,
    faults_of,
    flatness_faults,
    growth,
    is_disturbed,
    late_s,
    posts_s,
)
from tests.load.run import Loaded

__all__ = ["failures", "report"]

_RATES = (
    "Of the capacity",
    "Arrivals/s",
    "Jobs",
    "POST p50",
    "p99",
    "Oldest waiting, s",
    "Asked late p99",
    "Busy cores, by others",
    "Drained",
    "Holds",
)
_PROGRAMS = ("Processes", "Memory, MiB", "Descriptors")
_MIB = 1 << 20


def failures(loaded: Loaded) -> list[str]:
    """Name every promise that the steady load broke."""
    found = [*faults_of(loaded.steady), *flatness_faults(loaded.steady.looks)]
    return [*found, *_disturbed(loaded.steady)] if found else []


def report(loaded: Loaded) -> str:
    """Write what was measured, and two tables."""
    steady, knee = loaded.steady, loaded.knee
    answers = Counter(seen.status for seen in steady.seen)
    shown = ", ".join(f"{status or 'none'} {number}" for status, number in sorted(answers.items()))
    broke = "nowhere"
    if knee:
        broke = f"at {knee.factor:.1f} of the capacity: {'; '.join((*faults_of(knee), *_disturbed(knee)))}"
    tried = f"; the highest rate tried was {loaded.steps[-1].factor:.1f}" if loaded.steps and not knee else ""
    lines = [
        f"Capacity, closed loop: {loaded.capacity:.1f} jobs/s.",
        f"Steady load: {steady.arrivals} jobs in {steady.ended - steady.began:.0f} s; answers: {shown}.",
        f"The knee: {broke}{tried}.",
    ]
    told = "\n".join(f"- {line}" for line in lines)
    rates = _table(_RATES, map(_rate, (steady, *loaded.steps)))
    return "\n\n".join((told, rates, _table(_PROGRAMS, _programs(steady)), _bounds()))


def _disturbed(phase: Phase) -> Iterator[str]:
    if is_disturbed(phase):
        yield f"other programs kept {phase.others_cores:.2f} cores busy meanwhile: run it on a quiet machine"


def _rate(phase: Phase) -> tuple[str, ...]:
    age, posts = ages(phase), posts_s(phase)
    return (
        f"{phase.factor:.1f}",
        f"{phase.rate:.1f}",
        str(phase.arrivals),
        ms(percentile(posts, 0.5)),
        ms(percentile(posts, 0.99)),
        f"{age.first:.2f} → {age.last:.2f}",
        ms(late_s(phase)),
        f"{phase.busy_cores:.2f}, {phase.others_cores:.2f}",
        "not" if phase.drained_s is None else f"{phase.drained_s:.1f} s",
        "no" if list(faults_of(phase)) else "yes",
    )


def _programs(phase: Phase) -> Iterable[tuple[str, ...]]:
    for role, (memory, descriptors) in growth(phase.looks).items():
        yield (
            f"{role} ({phase.looks[-1].usages[role].processes})",
            f"{memory.first / _MIB:.1f} → {memory.last / _MIB:.1f}",
            f"{descriptors.first:.0f} → {descriptors.last:.0f}",
        )


def _bounds() -> str:
    return (
        f"A rate holds when all answers are 202 or 200, a POST takes at most {ms(POST_S)} at p99 from its "
        f"scheduled moment on, the oldest waiting job is at most {AGE_S:g} s older in the last third than in "
        f"the first (medians of a look each second), everything is done {DRAIN_S:.0f} s after the end, and "
        f"the asking side was at most {ms(LATE_S)} late at p99. Memory is flat when it grows by at most "
        f"{MEMORY_SHARE:.0%} or {MEMORY_BYTES // _MIB} MiB from the first to the last third, a fifth for "
        f"warming up left out; descriptors, by at most {DESCRIPTORS}."
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
