"""Judges samples: what rises, what is flat, and what holds. Pure, so that forged samples can test it."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.bench.figures import percentile
from tests.load.visits import Seen
from tests.load.watch import Look

__all__ = [
    "AGE_S",
    "DESCRIPTORS",
    "DRAIN_S",
    "LATE_S",
    "MEMORY_BYTES",
    "MEMORY_SHARE",
    "POST_S",
    "QUIET_CORES",
    "Phase",
    "Thirds",
    "ages",
    "faults_of",
    "flatness_faults",
    "growth",
    "is_disturbed",
    "late_s",
    "posts_s",
    "thirds",
]

POST_S = 0.5
"""The bound of a POST at p99, from its scheduled moment on."""
AGE_S = 1.0
"""By how much the oldest waiting job may be older in the last third than in the first."""
LATE_S = 0.1
"""The bound of the asking side's own lateness at p99: past it, it measured itself."""
DRAIN_S = 60.0
QUIET_CORES = 0.1
"""What other programs may keep busy: above, a rate that does not hold says nothing about us."""
MEMORY_SHARE, MEMORY_BYTES = 0.05, 8 << 20
"""Growth that is allowed: the larger of the two, of all processes of one role together."""
DESCRIPTORS = 6
"""As of memory."""
_WARM_UP_SHARE = 0.2


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One rate, for some time."""

    factor: float
    """The rate, as a share of the capacity."""
    rate: float
    """Arrivals in a second."""
    began: float
    ended: float
    """The last scheduled moment, in monotonic seconds."""
    seen: Sequence[Seen]
    looks: Sequence[Look]
    """Those between the two."""
    arrivals: int
    complete: int
    """How many of its jobs were complete in the end."""
    drained_s: float | None
    """From the end until nothing waited or ran any more; None when that took too long."""
    busy_cores: float = 0.0
    """By whomever, on average."""
    others_cores: float = 0.0
    """By programs that are none of the run's own: what makes its figures say little."""
    notes: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True, kw_only=True)
class Thirds:
    """The medians of a series' first and last third."""

    first: float
    last: float

    @property
    def growth(self) -> float:
        """What it has grown by; below 0 where it fell."""
        return self.last - self.first


def thirds(values: Sequence[float]) -> Thirds:
    """Compare both ends of a series. Raises `ValueError` for fewer than three values."""
    if len(values) < 3:
        raise ValueError("a series of fewer than three looks says nothing")
    size = len(values) // 3
    return Thirds(first=statistics.median(values[:size]), last=statistics.median(values[-size:]))


def posts_s(phase: Phase) -> list[float]:
    """How long POSTs took, from their scheduled moments on."""
    return [seen.took_s for seen in phase.seen if seen.kind == "post"]


def late_s(phase: Phase) -> float:
    """How late the asking side was, at p99."""
    return percentile([seen.late_s for seen in phase.seen], 0.99)


def ages(phase: Phase) -> Thirds:
    """How the age of the oldest waiting job developed."""
    return thirds([look.oldest_s for look in phase.looks])


def faults_of(phase: Phase) -> Iterator[str]:
    """Say why a rate does not hold; nothing where it does."""
    wrong: dict[str, int] = {}
    for seen in phase.seen:
        expected = 202 if seen.kind == "post" else 200
        if seen.status != expected:
            what = f"{seen.kind} was answered {seen.status or 'nothing'}"
            wrong[what] = wrong.get(what, 0) + 1
        elif seen.told == "FAILED":
            wrong["a job failed"] = wrong.get("a job failed", 0) + 1
    yield from (f"{what}, {number} times" for what, number in wrong.items())
    posts = posts_s(phase)
    if len(posts) != phase.arrivals:
        yield f"{len(posts)} of {phase.arrivals} requests were made"
    if posts and (p99 := percentile(posts, 0.99)) > POST_S:
        yield f"a POST took {p99 * 1000:.0f} ms at p99"
    if (age := ages(phase)).growth > AGE_S:
        yield f"the oldest waiting job grew older, from {age.first:.2f} to {age.last:.2f} s"
    if phase.drained_s is None or phase.drained_s > DRAIN_S:
        yield f"it had not drained {DRAIN_S:.0f} s after the end"
    elif phase.complete != phase.arrivals:
        yield f"{phase.complete} of {phase.arrivals} jobs were complete in the end"
    if phase.seen and late_s(phase) > LATE_S:
        yield f"the asking side itself was {late_s(phase) * 1000:.0f} ms late at p99"
    yield from phase.notes


def is_disturbed(phase: Phase) -> bool:
    """Say whether a rate did not hold while other programs took its processors."""
    return phase.others_cores > QUIET_CORES and any(faults_of(phase))


def growth(looks: Sequence[Look]) -> Mapping[str, tuple[Thirds, Thirds]]:
    """Tell for each role how memory and descriptors developed after a warm-up."""
    warm = looks[int(len(looks) * _WARM_UP_SHARE) :]
    roles = dict.fromkeys(role for look in warm for role in look.usages)
    return {
        role: (
            thirds([look.usages[role].memory for look in warm if role in look.usages]),
            thirds([look.usages[role].descriptors for look in warm if role in look.usages]),
        )
        for role in roles
    }


def flatness_faults(looks: Sequence[Look]) -> Iterator[str]:
    """Say whose memory or descriptors grew; nothing where all are flat."""
    for role, (memory, descriptors) in growth(looks).items():
        if memory.growth > max(MEMORY_SHARE * memory.first, MEMORY_BYTES):
            yield f"the memory of {role} grew by {memory.growth / (1 << 20):.1f} MiB"
        if descriptors.growth > DESCRIPTORS:
            yield f"the descriptors of {role} grew by {descriptors.growth:.0f}"
