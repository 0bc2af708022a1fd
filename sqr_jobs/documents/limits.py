"""What one attempt may take in its render child; the kernel holds it to that."""

import contextlib
import resource
import signal
from dataclasses import dataclass

__all__ = ["Limits", "address_space"]

_SLACK_BYTES = 1_048_576


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of one attempt."""

    seconds: float
    memory_bytes: int
    output_bytes: int
    baseline: int | None
    """Address space after the imports; None where the system does not tell."""

    def set(self) -> None:
        """Bound the attempt's time and memory."""
        signal.setitimer(signal.ITIMER_REAL, self.seconds)  # SIGALRM's default action: the process ends
        if self.baseline is not None:
            _set_soft(resource.RLIMIT_AS, self.baseline + self.memory_bytes)

    def bound_output(self) -> None:
        """Bound the files that are written, from `load`'s return on: the host's own may be larger."""
        _set_soft(resource.RLIMIT_FSIZE, self.output_bytes + _SLACK_BYTES)

    def is_worn(self) -> bool:
        """Say whether earlier orders have left so much behind that the next one might lack it."""
        taken = address_space()
        return (
            taken is not None and self.baseline is not None and taken > self.baseline + self.memory_bytes / 2
        )

    def lift(self) -> None:
        """Bound nothing, until the next order."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        _set_soft(resource.RLIMIT_FSIZE, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
        if self.baseline is not None:
            _set_soft(resource.RLIMIT_AS, resource.getrlimit(resource.RLIMIT_AS)[1])


def _set_soft(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    if resource.RLIM_INFINITY not in (hard, value):
        value = min(value, hard)
    resource.setrlimit(what, (value, hard))


def address_space() -> int | None:
    """Measure what the process has now; None where the system does not tell (macOS)."""
    with contextlib.suppress(OSError), open("/proc/self/statm", "rb") as statm:  # noqa: PTH123
        return int(statm.read().split()[0]) * resource.getpagesize()
    return None
