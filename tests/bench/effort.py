"""How much is measured: enough for a figure to stand, or just enough to see that everything runs."""

from dataclasses import dataclass

__all__ = ["FULL", "QUICK", "Effort"]


@dataclass(frozen=True, kw_only=True)
class Effort:
    """Sizes of the measurements; each figure is the median of `rounds`, the compared sides in turn."""

    rounds: int
    warm_up_jobs: int
    jobs: int
    """Jobs of a round whose CPU is counted."""
    requests: int
    """Requests of a round, to each side."""
    wake_ups: int
    """Samples of the wake-up latency, all in one."""
    idle_s: float
    """How long one look at an idle worker is."""
    load_jobs: int
    """Jobs of a round at full load."""
    low_jobs: int
    """Jobs of a round one after the other."""


FULL = Effort(
    rounds=5,
    warm_up_jobs=6,
    jobs=24,
    requests=80,
    wake_ups=200,
    idle_s=4.0,
    load_jobs=64,
    low_jobs=24,
)
QUICK = Effort(
    rounds=2,
    warm_up_jobs=2,
    jobs=5,
    requests=8,
    wake_ups=10,
    idle_s=1.0,
    load_jobs=10,
    low_jobs=4,
)
