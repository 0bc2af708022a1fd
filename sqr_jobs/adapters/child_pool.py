"""The render children of one worker: those that wait for an order, and those that still start."""

import logging
import threading
import time
from collections.abc import Callable

from sqr_jobs.adapters.render_child import LOOK_AGAIN_S, RenderChild
from sqr_jobs.documents.places import place_of
from sqr_jobs.errors import ConfigurationError

__all__ = ["ChildPool"]

_logger = logging.getLogger("sqr_jobs.children")


class ChildPool:
    """Warm children, as many as threads ask at the same time.

    A child has `start_limit_s` to start. One that an attempt could not wait for goes on starting, and the
    next attempt finds it. One that no attempt needs ends at the first one that comes after its limit.
    """

    def __init__(self, start: Callable[[], RenderChild], *, start_limit_s: float) -> None:
        self._start = start
        self._start_limit_s = start_limit_s
        self._idle: list[RenderChild] = []
        self._starting: list[RenderChild] = []
        self._lock = threading.Lock()
        self._is_closed = False
        self._warming: threading.Event | None = None

    def warm(self) -> None:
        """Start one child, so that a factory that can't be built shows at once.

        Raises `ConfigurationError`.
        """
        self._warming = ended = threading.Event()
        try:
            child = self._started(lambda: 0.0 if self._is_closed else self._start_limit_s)
            if child is not None:
                self.put_back(child)
        finally:
            ended.set()

    def take(self, left: Callable[[], float]) -> RenderChild | None:
        """Take a child that is ready; None when `left` says that no time is left.

        Raises `ConfigurationError` when none can be started.
        """
        while True:
            child = self._pop(self._idle)
            if child is not None:
                self._end_overdue()  # else it is the one below, which says where it was
                if child.is_fit():
                    return child
                child.kill()
                continue
            with self._lock:
                warming, self._warming = self._warming, None  # the next order starts its own
            if warming is None:
                return self._started(left)
            while (seconds := left()) > 0 and not warming.wait(min(seconds, LOOK_AGAIN_S)):
                pass

    def put_back(self, child: RenderChild) -> None:
        """Keep a child for the next order, or end it when it can serve none."""
        self._end_overdue()
        if child.is_worn or not child.is_fit():
            child.kill()
            return
        try:
            child.forget_output()
        except OSError as error:  # its end forgets the document too, which may be stored by now
            child.kill()
            _logger.warning("a render child ends: its work file could not be emptied (%s)", error.strerror)
            return
        except BaseException:
            child.kill()
            raise
        self._keep(child, self._idle)

    def close(self) -> None:
        """End the children that no attempt has; `warm` ends its own as soon as it looks."""
        with self._lock:
            self._is_closed = True
            children = [*self._idle, *self._starting]
            self._idle.clear()
            self._starting.clear()
        for child in children:
            child.kill()

    def _started(self, left: Callable[[], float]) -> RenderChild | None:
        """Wait for a child that starts already, else start one; keep it when `left` ends first."""
        child = self._pop(self._starting) or self._start()
        until = child.started_at + self._start_limit_s
        try:
            if child.wait_ready(lambda: min(left(), until - time.monotonic())):
                return child
            if time.monotonic() < until:
                self._keep(child, self._starting)
                return None
        except BaseException:
            child.kill()
            raise
        child.interrupt()
        place = place_of(child.last_stack())
        where = f", at {place}" if place else ""
        raise ConfigurationError(
            f"the render child did not start within {self._start_limit_s:g} s{where}. Have the factory "
            "connect to nothing, or raise SQR_JOBS_START_LIMIT_S."
        )

    def _end_overdue(self) -> None:
        """End the children that had their time to start and are silent."""
        now = time.monotonic()
        with self._lock:
            is_overdue = [child.started_at + self._start_limit_s <= now for child in self._starting]
            overdue = [child for child, is_over in zip(self._starting, is_overdue, strict=True) if is_over]
            overdue = [child for child in overdue if child.is_fit()]  # it would have said that it is ready
            self._starting[:] = [child for child in self._starting if child not in overdue]
        for child in overdue:
            child.kill()

    def _pop(self, children: list[RenderChild]) -> RenderChild | None:
        with self._lock:
            return children.pop() if children else None

    def _keep(self, child: RenderChild, children: list[RenderChild]) -> None:
        with self._lock:
            if not self._is_closed:
                children.append(child)
                return
        child.kill()
