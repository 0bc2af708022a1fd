"""Documents made in render children that can be killed."""

import hashlib
import logging
import os
import secrets
import select
import signal
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqr_jobs.adapters.child_pool import ChildPool
from sqr_jobs.adapters.interpreter import find_interpreter
from sqr_jobs.adapters.render_child import RenderChild
from sqr_jobs.documents.places import place_of, stack_text
from sqr_jobs.documents.production import document_identifier
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.glyphs import MissingGlyphs
from sqr_jobs.errors import AttemptFailed, ConfigurationError, FactoryFailed
from sqr_jobs.leases import Lease
from sqr_jobs.logs import Outage
from sqr_jobs.ports import ProducedDocument, RenderOrder

__all__ = ["ChildProducer"]

_logger = logging.getLogger("sqr_jobs.children")

_TIMER_SLACK_S = 0.5
_BLOCK = 1_048_576


class ChildProducer:
    """`DocumentProducer` over warm child processes, as many as threads ask at the same time.

    `factory` tells the import path of the host's factory, `python` the interpreter, by default this one. A
    child serves one order at a time and is killed with everything below it when the attempt's time is over or
    when it misbehaves. Raises `ConfigurationError` on a system that has no process groups (Windows), and
    where there is no interpreter.
    """

    def __init__(
        self,
        *,
        factory: Callable[[], str],
        memory_bytes: int,
        output_bytes: int,
        start_limit_s: float,
        work_dir: Path | None = None,
        python: str | None = None,
    ) -> None:
        if not (hasattr(os, "killpg") and hasattr(select, "poll")):
            raise ConfigurationError(
                "Render children need a POSIX system, such as Linux or macOS. To develop here, set "
                "SQR_JOBS_RENDER=inline; no limit of time or memory holds then."
            )
        self._factory = factory
        self._python = find_interpreter(python)
        self._limits = {"memory_bytes": memory_bytes, "output_bytes": output_bytes}
        self._work_dir = work_dir
        self._pool = ChildPool(self._start, start_limit_s=start_limit_s)
        self._outage = Outage()

    def warm(self) -> None:
        """Start one child, so that a factory that can't be built shows at once.

        Raises `ConfigurationError`.
        """
        self._pool.warm()

    def close(self) -> None:
        """End the children that no attempt has."""
        self._pool.close()

    def produce(self, order: RenderOrder, lease: Lease) -> ProducedDocument:
        """Have a child make the document, and kill the child when the lease says so."""
        child = self._take(lease)
        try:
            lease.begin_rendering()
            reply = self._ask(child, order, lease)
            if "size" in reply:
                return self._produced(child, order, reply)
            failure = _failure(reply)
        except BaseException:
            child.kill()
            raise
        if failure.code is JobErrorCode.OUT_OF_MEMORY:
            child.kill()  # it is ending by itself, with a worn-out heap
        else:
            child.is_worn = bool(reply.get("worn"))
            self._pool.put_back(child)
        raise failure

    def _take(self, lease: Lease) -> RenderChild:
        """Take a child that is ready; the time that it takes to start is no part of the attempt's limit."""
        try:
            child = self._pool.take(lease.left)
        except ConfigurationError as error:
            if self._outage.is_news(str(error)):
                _logger.error("no render child could be started: %s", error)  # noqa: TRY400 - it says it all
            cause = error.cause if isinstance(error, FactoryFailed) else str(error)
            reason = "no render child could be started"
            raise AttemptFailed(JobErrorCode.RENDER_START_FAILED, cause, reason=reason) from None
        if child is None:
            raise lease.ending()
        if (lasted_s := self._outage.over()) is not None:
            _logger.info("render children start again, after %.0f s", lasted_s)
        return child

    def _ask(self, child: RenderChild, order: RenderOrder, lease: Lease) -> dict[str, Any]:
        """Send the order under an id that nobody can guess, and wait for the reply to it."""
        order_id = secrets.token_hex(16)
        seconds = max(lease.rendering_limit(), 0.01) + _TIMER_SLACK_S
        limits = {"seconds": seconds, **self._limits}
        child.send({"id": order_id, "order": asdict(order), "limits": limits})
        reply = child.receive(lease.rendering_left)
        if reply is not None:
            if reply.get("id") != order_id:
                raise _crash("the render child answered another order")
            return reply
        if lease.rendering_left() <= 0:
            ending = lease.ending()
            if not isinstance(ending, AttemptFailed):
                raise ending
            child.interrupt()
            raise _placed(ending, child)
        raise _ended(child)

    def _produced(self, child: RenderChild, order: RenderOrder, reply: dict[str, Any]) -> ProducedDocument:
        """Accept the file if it is what the child says that it wrote, and names the job of the order."""
        child.is_worn = bool(reply.get("worn"))
        child.output.seek(0)
        size, sha256, is_named = _look_through(child.output, document_identifier(order.job_id).encode())
        if (size, sha256) != (reply["size"], reply.get("sha256")) or not is_named:
            raise _crash("the work file does not hold the document that was asked for")
        child.output.seek(0)
        missing = reply["missing_glyphs"]
        return ProducedDocument(
            file=child.output,
            size=size,
            sha256=sha256,
            release=lambda: self._pool.put_back(child),
            discard=child.kill,  # the next order would be written into the same file
            missing_glyphs=MissingGlyphs.from_message(missing) if missing else None,
        )

    def _start(self) -> RenderChild:
        try:
            return RenderChild(self._factory(), self._work_dir, python=self._python)
        except OSError as error:
            raise ConfigurationError(
                f"no render child can be started here ({error.strerror}). Look at SQR_JOBS_WORK_DIR, at the "
                "limits of open files and processes, and at the memory."
            ) from None


def _look_through(file: Any, mark: bytes) -> tuple[int, str, bool]:
    """Read a file to its end: its size, its SHA-256, and whether the mark is in it."""
    digest, size, is_there, before = hashlib.sha256(), 0, False, b""
    while block := file.read(_BLOCK):
        digest.update(block)
        size += len(block)
        is_there = is_there or mark in before + block
        before = block[-len(mark) :]
    return size, digest.hexdigest(), is_there


def _failure(reply: dict[str, Any]) -> AttemptFailed:
    return AttemptFailed(
        JobErrorCode(reply["code"]),
        str(reply["cause"]),
        reason=str(reply["reason"]),
        stack=str(reply["stack"]),
        is_final=bool(reply.get("is_final")),
    )


def _crash(what: str) -> AttemptFailed:
    return AttemptFailed(JobErrorCode.RENDER_CRASHED, what, reason=what)


def _ended(child: RenderChild) -> AttemptFailed:
    """Say of a child that ended on its own what ended it, and where."""
    status = child.end()
    code = JobErrorCode.RENDER_TIMEOUT if status == -signal.SIGALRM else JobErrorCode.RENDER_CRASHED
    ended = f"the render child ended with status {status}"
    return _placed(AttemptFailed(code, ended, reason=ended), child)


def _placed(failure: AttemptFailed, child: RenderChild) -> AttemptFailed:
    """Add where the child was when it died: the place for operators, the whole stack for the log."""
    frames = child.last_stack()
    place = place_of(frames, child.own_code)
    return AttemptFailed(
        failure.code,
        f"{failure.cause.rstrip('.')}, at {place}" if place else failure.cause,
        reason=failure.reason,
        stack=f"{failure.stack}{stack_text(frames)}",
    )
