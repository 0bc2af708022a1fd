"""The render child: `python -m sqr_jobs.documents.child`, one order after the other over pipes.

A process of its own can be killed whatever it does: a hang in C that holds the GIL, a segfault, memory that
grows without end. Two signals of the kernel, which need no Python to run, end it even when its parent can't:
SIGALRM at the attempt's limit, and on Linux SIGIO when the pipe that only the parent holds is closed by its
death. Before it dies of SIGALRM or of a crash, it writes its stack to a pipe that the worker reads.
"""

import contextlib
import faulthandler
import fcntl
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, BinaryIO, cast

from sqr_jobs.documents.guard import Guard
from sqr_jobs.documents.guardian import leave_no_core_file
from sqr_jobs.documents.limits import Limits, address_space
from sqr_jobs.documents.places import own_code
from sqr_jobs.documents.production import Made, failure_code, make_document
from sqr_jobs.documents.template import Catalog
from sqr_jobs.documents.wires import HashedOutput, Wires
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import TemplateRef
from sqr_jobs.errors import AttemptFailed, ConfigurationError
from sqr_jobs.factory import load_factory
from sqr_jobs.logs import stack_of
from sqr_jobs.ports import RenderOrder

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Serve orders until the parent closes the pipe.

    `arguments` are the descriptors of the output file, the lifeline and the pipe for stacks.
    """
    output_fd, lifeline_fd, stack_fd = (int(argument) for argument in arguments)
    leave_no_core_file()
    _take_signals()
    _show_last_stack(stack_fd)
    _die_with_parent(lifeline_fd)
    wires = Wires(output_fd=output_fd, lifeline_fd=lifeline_fd, stack_fd=stack_fd)
    hello = wires.receive()
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
        wires.send({"start_failed": told[:4_000], "cause": cause[:2_000]})
        return 1
    guard = Guard()
    _warm_up()
    guard.run(lambda: None)  # its thread's stack belongs to the baseline
    baseline = address_space()
    templates = [catalog.get(ref) for ref in catalog.refs()]
    code = own_code(type(template).__module__ for template in templates)
    wires.send({"ready": True, "own_code": code})
    while (message := wires.receive()) is not None:
        limits = Limits(baseline=baseline, **message["limits"])
        reply = _answer(_order(message["order"]), limits, catalog, guard, wires.output_fd)
        if limits.is_worn() or guard.is_worn:
            reply["worn"] = True  # the parent ends this child, and starts another
        wires.send({**reply, "id": message["id"]})
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


def _show_last_stack(fd: int) -> None:
    """Have the stack written, without values, before a crash or SIGALRM ends the process.

    The C code of `faulthandler` does it, whoever holds the interpreter. A full pipe drops the rest.
    """
    os.set_blocking(fd, False)
    faulthandler.enable(fd, all_threads=False)
    # The kernel may give the signal to a thread that the host started. Its default action comes last.
    faulthandler.register(signal.SIGALRM, fd, all_threads=True, chain=True)


def _restore(variable: str, value: str | None) -> None:
    """Give what a template starts the environment that the worker was given."""
    if value is None:
        os.environ.pop(variable, None)
    else:
        os.environ[variable] = value


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
    order: RenderOrder, limits: Limits, catalog: Catalog, guard: Guard, output_fd: int
) -> dict[str, Any]:
    def guarded(layout: Callable[[], Made]) -> Made:
        limits.bound_output()
        return guard.run(layout)

    output = HashedOutput(output_fd)
    try:
        limits.set()
        made = make_document(
            catalog, order, cast("BinaryIO", output), max_bytes=limits.output_bytes, guarded=guarded
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
    except OSError as error:  # the document could not be written to its end
        cause = f"OSError {error.errno}"
        return {"code": failure_code(error), "cause": cause, "reason": cause, "stack": ""}
    finally:
        limits.lift()
    missing = made.missing_glyphs
    return {
        "size": made.size,
        "sha256": output.sha256,
        "missing_glyphs": asdict(missing) if missing else None,
    }


def _order(fields: dict[str, Any]) -> RenderOrder:
    return RenderOrder(**{**fields, "template": TemplateRef(**fields["template"])})


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
