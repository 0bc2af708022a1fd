"""Documents made in render children that can be killed."""

import hashlib
import logging
import os
import select
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqr_jobs.adapters.render_child import LOOK_AGAIN_S, RenderChild
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.glyphs import MissingGlyphs
from sqr_jobs.errors import AttemptFailed, ConfigurationError, FactoryFailed
from sqr_jobs.leases import Lease
from sqr_jobs.logs import Outage
from sqr_jobs.ports import ProducedDocument, RenderOrder

__all__ = ["ChildProducer"]

_logger = logging.getLogger("sqr_jobs.children")

_TIMER_SLACK_S = 0.5
_START_LIMIT_S = 60.0


class ChildProducer:
    """`DocumentProducer` over warm child processes, as many as threads ask at the same time.

    `factory` tells the import path of the host's factory. A child serves one order at a time and is killed
    with its whole process group when the attempt's time is over or when it misbehaves. Raises
    `ConfigurationError` on a system that has no such groups (Windows).
    """

    def __init__(
        self,
        *,
        factory: Callable[[], str],
        memory_bytes: int,
        output_bytes: int,
        work_dir: Path | None = None,
    ) -> None:
        if not (hasattr(os, "killpg") and hasattr(select, "poll")):
            raise ConfigurationError(
                "Render children need a POSIX system, such as Linux or macOS. To develop here, set "
                "SQR_JOBS_RENDER=inline; no limit of time or memory holds then."
            )
        self._factory = factory
        self._limits = {"memory_bytes": memory_bytes, "output_bytes": output_bytes}
        self._work_dir = work_dir
        self._idle: list[RenderChild] = []
        self._lock = threading.Lock()
        self._is_closed = False
        self._warming: threading.Event | None = None
        self._outage = Outage()

    def warm(self) -> None:
        """Start one child, so that a factory that can't be built shows at once.

        Raises `ConfigurationError`.
        """
        until = time.monotonic() + _START_LIMIT_S
        self._warming = ended = threading.Event()
        try:
            child = self._start()
            try:
                child.wait_ready(lambda: until - time.monotonic())
            except BaseException:
                child.kill()
                raise
            self._put_back(child)
        finally:
            ended.set()

    def produce(self, order: RenderOrder, lease: Lease) -> ProducedDocument:
        """Have a child make the document, and kill the child when the lease says so."""
        child = self._take(lease)
        try:
            reply = self._ask(child, order, lease)
            if "size" in reply:
                return self._produced(child, reply)
        except BaseException:
            child.kill()
            raise
        if reply["code"] == JobErrorCode.OUT_OF_MEMORY:
            child.kill()  # it is ending by itself, with a worn-out heap
        else:
            self._put_back(child)
        raise AttemptFailed(
            JobErrorCode(reply["code"]),
            str(reply["cause"]),
            reason=str(reply["reason"]),
            stack=str(reply["stack"]),
            is_final=bool(reply.get("is_final")),
        )

    def close(self) -> None:
        """End the idle children."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for child in idle:
            child.kill()

    def _produced(self, child: RenderChild, reply: dict[str, Any]) -> ProducedDocument:
        child.is_worn = bool(reply.get("worn"))
        missing = reply["missing_glyphs"]
        child.output.seek(0)
        sha256 = hashlib.file_digest(child.output, "sha256").hexdigest()
        size = child.output.tell()
        child.output.seek(0)
        return ProducedDocument(
            file=child.output,
            size=size,
            sha256=sha256,
            release=lambda: self._put_back(child),
            missing_glyphs=MissingGlyphs.from_message(missing) if missing else None,
        )

    def _ask(self, child: RenderChild, order: RenderOrder, lease: Lease) -> dict[str, Any]:
        seconds = max(lease.rendering_limit(), 0.01) + _TIMER_SLACK_S
        child.send({"order": asdict(order), "limits": {"seconds": seconds, **self._limits}})
        reply = child.receive(lease.rendering_left)
        if reply is not None:
            return reply
        if lease.rendering_left() <= 0:
            raise lease.ending()
        code, ended = child.epitaph(), f"the render child ended with status {child.status()}"
        raise AttemptFailed(code, ended, reason=ended)

    def _take(self, lease: Lease) -> RenderChild:
        idle = self._take_idle(lease)
        if idle is not None:
            return idle
        child = self._start()
        try:
            child.wait_ready(lease.rendering_left)
        except ConfigurationError as error:
            child.kill()
            lease.check()
            if self._outage.is_news(str(error)):
                _logger.error("no render child could be started: %s", error)  # noqa: TRY400 - it says it all
            cause = error.cause if isinstance(error, FactoryFailed) else str(error)
            reason = "no render child could be started"
            raise AttemptFailed(JobErrorCode.TEMPLATE_NOT_FOUND, cause, reason=reason) from None
        except BaseException:
            child.kill()
            raise
        if (lasted_s := self._outage.over()) is not None:
            _logger.info("render children start again, after %.0f s", lasted_s)
        return child

    def _take_idle(self, lease: Lease) -> RenderChild | None:
        """Take a child that waits, or the first one, which may be about to."""
        while True:
            with self._lock:
                child = self._idle.pop() if self._idle else None
                if child is None:
                    warming, self._warming = self._warming, None  # the next order starts its own
            if child is not None:
                if child.is_alive():
                    return child
                child.kill()
            elif warming is None:
                return None
            else:
                while (left := lease.rendering_left()) > 0 and not warming.wait(min(left, LOOK_AGAIN_S)):
                    pass

    def _start(self) -> RenderChild:
        try:
            return RenderChild(self._factory(), self._work_dir)
        except OSError as error:
            raise ConfigurationError(
                f"no render child can be started here ({error.strerror}). Look at SQR_JOBS_WORK_DIR, at the "
                "limits of open files and processes, and at the memory."
            ) from None

    def _put_back(self, child: RenderChild) -> None:
        if child.is_worn or not child.is_alive():
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
        with self._lock:
            if not self._is_closed:
                self._idle.append(child)
                return
        child.kill()
