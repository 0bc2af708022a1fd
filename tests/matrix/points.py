"""The fault points: wrappers around the ports of one process, and an event of its engine.

A before commit · B committed and not rung · C rung · D fetched and unclaimed · E rendering · F rendered and
not uploaded · G uploaded and not recorded · H recorded and not acknowledged · I issuing a URL. Two more lie
in the upkeep: `relay` between two rings, `reaper` before a commit.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, event

from sqr_jobs.errors import DatabaseUnavailable, DocumentsUnavailable, QueueUnavailable
from sqr_jobs.service import WorkerService
from sqr_jobs.wiring import System
from tests.matrix.orders import RENEWAL, RESERVATION, Order, await_runner, due

__all__ = ["strike", "wrap"]

_ERRORS = {
    "A": DatabaseUnavailable,
    "B": QueueUnavailable,
    "C": QueueUnavailable,
    "D": DatabaseUnavailable,
    "F": DocumentsUnavailable,
    "G": DatabaseUnavailable,
    "H": DatabaseUnavailable,
    "I": DocumentsUnavailable,
}

_HANG_S = 3.5
"""Longer than a lease."""


def wrap(system: System) -> None:
    """Put the fault points around this process's ports; each is struck by orders only."""
    creating, marking = threading.local(), threading.local()
    system.__dict__["intake"] = _Intake(system.intake, creating, marking)

    def wrap_own() -> None:
        system.__dict__["queue"] = _Queue(system.queue, creating)
        system.__dict__["documents"] = _Documents(system.documents)

    wrap_own()
    os.register_at_fork(after_in_child=wrap_own)  # a forked process makes its own
    event.listen(system.database.engine, "commit", lambda connection: _commit(connection, creating, marking))
    make = system.service

    def service(*own: Any) -> WorkerService:
        made = make(*own)
        execution = _Execution(made.processor._jobs, marking)
        made.processor._jobs = made.processor._leases._jobs = execution
        made._maintenance._queue = _Queue(made._maintenance._queue, creating)
        return made

    system.service = service  # type: ignore[method-assign]


def strike(phase: str, job_id: str | None = None, *, user: str | None = None) -> None:
    """Reach a phase: suffer what is ordered for it."""
    order = due(phase, job_id, user=user)
    if order is not None:
        _suffer(order)


def _suffer(order: Order) -> None:
    match order.action:
        case "kill":  # the process alone: its supervisor sees it
            os.kill(os.getpid(), signal.SIGKILL)
        case "kill all":  # as if its machine had gone: its master dies with it
            os.killpg(0, signal.SIGKILL)
        case "end":
            os.kill(os.getpid(), signal.SIGTERM)
        case "end all":  # as a service manager does: the whole group
            os.killpg(0, signal.SIGTERM)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "hang":  # this call; its process and the lease live on
            threading.Event().wait(_HANG_S)
        case "raise":
            raise _ERRORS[order.phase]("ordered")
        case "ask":
            await_runner(order)
        case other:
            raise AssertionError(other)


def _commit(connection: Connection, creating: threading.local, marking: threading.local) -> None:
    if mark := getattr(marking, "mark", None):
        connection.exec_driver_sql("SELECT %s::text", (mark,))
    if getattr(creating, "job_id", None):
        strike("A", creating.job_id, user=creating.user)
    elif threading.current_thread().name == "sqr-jobs-reaper":
        strike("reaper")


@contextlib.contextmanager
def _marked(marking: threading.local, mark: str) -> Iterator[None]:
    """Mark this thread's transactions."""
    marking.mark = mark
    try:
        yield
    finally:
        marking.mark = None


class _Port:
    """Passes everything on that it does not know."""

    def __init__(self, port: Any) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


class _Intake(_Port):
    def __init__(self, port: Any, creating: threading.local, marking: threading.local) -> None:
        super().__init__(port)
        self._creating = creating
        self._marking = marking

    def reserve(self, *arguments: Any, **keywords: Any) -> Any:
        with _marked(self._marking, RESERVATION):
            return self._port.reserve(*arguments, **keywords)

    def create(self, new: Any, *arguments: Any, **keywords: Any) -> Any:
        self._creating.job_id, self._creating.user, self._creating.rings = new.job_id, new.user_id, None
        try:
            job = self._port.create(new, *arguments, **keywords)
        finally:
            self._creating.job_id = None
        self._creating.rings = new.job_id
        return job


class _Queue(_Port):
    def __init__(self, port: Any, creating: threading.local) -> None:
        super().__init__(port)
        self._creating = creating

    def ring(self, job_id: str) -> None:
        if getattr(self._creating, "rings", None) != job_id:
            strike("relay", job_id)
            self._port.ring(job_id)
            return
        self._creating.rings = None
        order = due("B", job_id)
        if order is not None and order.action == "double":
            self._port.ring(job_id)
        elif order is not None:
            _suffer(order)
        self._port.ring(job_id)
        strike("C", job_id)


class _Execution(_Port):
    def __init__(self, port: Any, marking: threading.local) -> None:
        super().__init__(port)
        self._marking = marking

    def renew(self, claims: Any) -> Any:
        with _marked(self._marking, RENEWAL):
            return self._port.renew(claims)

    def claim(self, job_id: str | None) -> Any:
        strike("D", job_id)
        return self._port.claim(job_id)

    def complete(self, claim: Any, document: Any, **keywords: Any) -> Any:
        strike("G", claim.job.job_id)
        is_ours = self._port.complete(claim, document, **keywords)
        strike("H", claim.job.job_id)
        return is_ours


class _Documents(_Port):
    def put(self, key: str, *arguments: Any, **keywords: Any) -> Any:
        strike("F", key.partition("/")[0])
        return self._port.put(key, *arguments, **keywords)

    def holds_unchanged(self, key: str, **keywords: Any) -> Any:
        strike("I", key.partition("/")[0])
        return self._port.holds_unchanged(key, **keywords)
