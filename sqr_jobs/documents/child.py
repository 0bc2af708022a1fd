"""The render child: `python -m sqr_jobs.documents.child`, one order after the other over pipes.

A process of its own can be killed whatever it does: a hang in C that holds the GIL, a segfault, memory that
grows without end. Two signals of the kernel, which need no Python to run, end it even when its parent can't:
SIGALRM at the attempt's limit, and on Linux SIGIO when the pipe that only the parent holds is closed by its
death.
"""

import contextlib
import fcntl
import gc
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from sqr_jobs.documents.guard import Guard
from sqr_jobs.documents.pipes import pack, read_message
from sqr_jobs.documents.production import Made, failure_code, make_document
from sqr_jobs.documents.template import Catalog
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import TemplateRef
from sqr_jobs.errors import AttemptFailed, ConfigurationError
from sqr_jobs.factory import load_factory
from sqr_jobs.logs import stack_of
from sqr_jobs.ports import RenderOrder

__all__ = ["main"]

_STDIN, _STDOUT, _STDERR = 0, 1, 2
_SLACK_BYTES = 1_048_576


def main(arguments: list[str]) -> int:
    """Serve orders until the parent closes the pipe.

    `arguments` are the descriptors of the output file and of the lifeline.
    """
    output_fd, lifeline_fd = (int(argument) for argument in arguments)
    _take_signals()
    _die_with_parent(lifeline_fd)
    orders, replies = os.dup(_STDIN), os.dup(_STDOUT)
    # What a template starts must not read orders, and what it prints must not be taken for a reply.
    os.dup2(os.open(os.devnull, os.O_RDONLY), _STDIN)
    os.dup2(_STDERR, _STDOUT)
    hello = read_message(orders)
    if hello is None:
        return 0
    sys.path[:] = hello["sys_path"]
    _restore("PYTHONPATH", hello["python_path"])
    try:
        catalog = _catalog(hello["factory"])
    except Exception as error:  # noqa: BLE001 - whatever the host's modules raise
        if isinstance(error, ConfigurationError):
            told = cause = str(error)
        else:
            told, cause = stack_of(error).lstrip(), f"{type(error).__name__}: {error}"
        _send(replies, {"start_failed": told[:4_000], "cause": cause[:2_000]})
        return 1
    guard = Guard()
    _warm_up()
    guard.run(lambda: None)  # its thread's stack belongs to the baseline
    baseline = _address_space()
    _send(replies, {"ready": True})
    while (message := read_message(orders)) is not None:
        limits = _Limits(baseline=baseline, **message["limits"])
        reply = _answer(_order(message["order"]), limits, catalog, guard, output_fd)
        if limits.is_worn():
            reply["worn"] = True  # the parent ends this child, and starts another
        _send(replies, reply)
    return 0


def _take_signals() -> None:
    """Leave the end to the parent, and to the two timers, whatever was inherited.

    A supervisor that stops a worker signals its whole control group; an attempt that runs may still end.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGALRM, signal.SIGIO):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM, signal.SIGIO})


def _restore(variable: str, value: str | None) -> None:
    """Give what a template starts the environment that the worker was given."""
    if value is None:
        os.environ.pop(variable, None)
    else:
        os.environ[variable] = value


def _send(fd: int, message: dict[str, Any]) -> None:
    data = pack(message)
    while data:
        data = data[os.write(fd, data) :]


def _catalog(factory: str) -> Catalog:
    templates = getattr(load_factory(factory)(), "templates", None)
    if not isinstance(templates, Catalog):
        raise ConfigurationError(f"{factory} does not return what build_report_jobs(…) returned.")
    return templates


def _warm_up() -> None:
    """Pay for imports and fonts before the first order's time runs."""
    from sqr_jobs.documents import finishing, layout  # noqa: F401, PLC0415
    from sqr_jobs.documents.text import style  # noqa: PLC0415

    style("body")
    gc.collect()
    gc.freeze()


def _answer(
    order: RenderOrder, limits: "_Limits", catalog: Catalog, guard: Guard, output_fd: int
) -> dict[str, Any]:
    def guarded(layout: Callable[[], Made]) -> Made:
        limits.bound_output()
        return guard.run(layout)

    os.ftruncate(output_fd, 0)
    os.lseek(output_fd, 0, os.SEEK_SET)
    try:
        limits.set()
        with os.fdopen(os.dup(output_fd), "w+b") as output:
            made = make_document(
                catalog,
                order,
                output,
                max_bytes=limits.output_bytes,
                guarded=guarded,
            )
    except AttemptFailed as failure:
        return {
            "code": failure.code,
            "cause": failure.cause[:10_000],
            "reason": failure.reason,
            "stack": failure.stack,
            "is_final": failure.is_final,
        }
    except MemoryError:
        return {"code": JobErrorCode.OUT_OF_MEMORY, "cause": "MemoryError", "reason": "", "stack": ""}
    except OSError as error:  # the last of the buffer could not be written
        cause = f"OSError {error.errno}"
        return {"code": failure_code(error), "cause": cause, "reason": cause, "stack": ""}
    finally:
        limits.lift()
    missing = made.missing_glyphs
    return {"size": made.size, "missing_glyphs": asdict(missing) if missing else None}


def _order(fields: dict[str, Any]) -> RenderOrder:
    return RenderOrder(**{**fields, "template": TemplateRef(**fields["template"])})


@dataclass(frozen=True, kw_only=True)
class _Limits:
    """What one attempt may take; the kernel holds it to that."""

    seconds: float
    memory_bytes: int
    output_bytes: int
    baseline: int | None
    """Address space after the imports; None where the system does not tell."""

    def set(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, self.seconds)  # SIGALRM's default action: the process ends
        if self.baseline is not None:
            _set_soft(resource.RLIMIT_AS, self.baseline + self.memory_bytes)

    def bound_output(self) -> None:
        """Bound the files that are written, from `load`'s return on: the host's own may be larger."""
        _set_soft(resource.RLIMIT_FSIZE, self.output_bytes + _SLACK_BYTES)

    def is_worn(self) -> bool:
        """Say whether earlier orders have left so much behind that the next one might lack it."""
        taken = _address_space()
        return (
            taken is not None and self.baseline is not None and taken > self.baseline + self.memory_bytes / 2
        )

    def lift(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _set_soft(resource.RLIMIT_FSIZE, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
        if self.baseline is not None:
            _set_soft(resource.RLIMIT_AS, resource.getrlimit(resource.RLIMIT_AS)[1])


def _set_soft(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    if resource.RLIM_INFINITY not in (hard, value):
        value = min(value, hard)
    resource.setrlimit(what, (value, hard))


def _address_space() -> int | None:
    """Measure what the process has now; None where the system does not tell (macOS)."""
    with contextlib.suppress(OSError), open("/proc/self/statm", "rb") as statm:  # noqa: PTH123
        return int(statm.read().split()[0]) * resource.getpagesize()
    return None


def _die_with_parent(lifeline_fd: int) -> None:
    """End this process when the pipe's only writer, the parent, is gone.

    On Linux the kernel does it, whatever the process is at. Elsewhere SIGIO is ignored by default, and a
    thread has to: a layout that holds the interpreter ends with its time limit there.
    """
    if sys.platform != "linux":
        threading.Thread(target=_die_at_its_end, args=(lifeline_fd,), daemon=True).start()
        return
    fcntl.fcntl(lifeline_fd, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(lifeline_fd, fcntl.F_GETFL)
    fcntl.fcntl(lifeline_fd, fcntl.F_SETFL, flags | os.O_ASYNC | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        if os.read(lifeline_fd, 1) == b"":  # it died before the signal was arranged
            os._exit(0)


def _die_at_its_end(lifeline_fd: int) -> None:
    os.read(lifeline_fd, 1)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
