"""How this library logs: the fields of a job's records, stacks without values, outages told once.

Loggers are called `sqr_jobs.…`; docs/reference/logs.md lists each line. No record holds a name, a token, a
URL, a key or what an exception of the host's says.
"""

import threading
import time
import traceback
from collections.abc import Callable
from types import TracebackType

from sqr_jobs.domain.job import Job
from sqr_jobs.domain.states import JobState
from sqr_jobs.errors import ConfigurationError

__all__ = ["Outage", "Throttle", "job_fields", "stack_of"]

_OUTER_FRAMES, _INNER_FRAMES = 10, 20
_CHAIN = 5


def job_fields(
    job: Job, *, state: JobState | None = None, attempt: int | None = None, **more: str | None
) -> dict[str, str | int | None]:
    """Give the fields that each record about a job carries, for `extra`.

    `state` and `attempt` are those that the record tells of, where `job` was read before; `more` goes along.
    """
    return {
        "job": job.job_id,
        "org": job.org_id,
        "attempt": job.attempt if attempt is None else attempt,
        "state": str(state or job.state),
        **{name: value if value is None else str(value) for name, value in more.items()},
    }


def stack_of(error: BaseException) -> str:
    """Say what was raised and where: classes, files, lines and functions, and no message or value.

    What an exception says may hold personal data or a password; only a `ConfigurationError` is our own
    sentence. The text begins with a line break, to be put behind a sentence.
    """
    text, seen, before = "", error, ""
    for _ in range(_CHAIN):
        name = type(seen).__qualname__
        if isinstance(seen, ConfigurationError):
            name = f"{name} ({seen})"
        text += f"\n{before}{name}, raised at{_places(seen.__traceback__)}"
        cause = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
        if cause is None:
            break
        seen, before = cause, "after "
    return text


def _places(trace: TracebackType | None) -> str:
    """List the frames: of a long stack the outermost, which are ours and the host's, and the innermost."""
    places = [
        f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_name}"
        for frame, line in traceback.walk_tb(trace)
    ]
    left_out = len(places) - _OUTER_FRAMES - _INNER_FRAMES
    if left_out > 0:
        places[_OUTER_FRAMES:-_INNER_FRAMES] = [f"… {left_out} more"]
    return "".join(f"\n  {place}" for place in places)


class Outage:
    """Whether a part is out of reach, so that this is told when it begins and when it ends.

    Safe to use from any thread.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._began_at: float | None = None
        self._told: set[str] = set()

    def is_news(self, reason: str = "") -> bool:
        """Note a failure; true for the first one of an outage, and for the first for another reason."""
        with self._lock:
            if self._began_at is None:
                self._began_at = self._now()
            is_new = reason not in self._told
            self._told.add(reason)
            return is_new

    def over(self) -> float | None:
        """Note a success; the seconds that an outage lasted which ends with it, else None."""
        if self._began_at is None:
            return None
        with self._lock:
            began_at, self._began_at = self._began_at, None
            self._told.clear()
        return None if began_at is None else self._now() - began_at


class Throttle:
    """Lets one line of a kind through per interval. Safe to use from any thread."""

    def __init__(self, interval_s: float = 60.0, now: Callable[[], float] = time.monotonic) -> None:
        self._interval_s = interval_s
        self._now = now
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}

    def lets_through(self, kind: str) -> bool:
        """Whether the last line of this kind is an interval ago, or there was none."""
        with self._lock:
            now = self._now()
            if now - self._last.get(kind, float("-inf")) < self._interval_s:
                return False
            self._last[kind] = now
            return True
