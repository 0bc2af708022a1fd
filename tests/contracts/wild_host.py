"""Hosts that are wrong in ways which only a render child can survive."""

import contextlib
import ctypes
import faulthandler
import os
import re
import stat
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from sqr_jobs import Paragraph, ReportJobs, ReportRequest, Settings, Template, TemplateRef, build_report_jobs
from sqr_jobs.documents.pipes import pack
from tests.host.people import People
from tests.servers.ports import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reportlab.platypus import Flowable

__all__ = ["dies", "hangs", "name", "raises", "report_jobs", "report_jobs_beside_a_thread", "returns_nothing"]

name = "no function"
REPORT = TemplateRef(name="report", version="v1")


class Wild(BaseModel):
    """What to do."""

    what: str


class WildReport(Template[Wild], name="report", version="v1"):
    """Does what the user id says."""

    def load(self, request: ReportRequest) -> Wild:
        """Start a process of its own, where that is asked for."""
        if request.user_id == "U-FAMILY":
            grandchild = subprocess.Popen(["sleep", "300"])
            Path(os.environ["SQR_TEST_SIGNALS"], "grandchild").write_text(str(grandchild.pid))
        if request.user_id == "U-BEGUN":
            Path(os.environ["SQR_TEST_SIGNALS"], "begun").touch()
        if request.user_id == "U-OPENS":
            _pool.submit(Path("/etc/hosts").read_bytes).result()
        if request.user_id == "U-HOARD":
            raise MemoryError
        start = _STARTED_IN_LOAD.get(request.user_id.partition("/")[0])
        if start is not None:
            start()
        return Wild(what=request.user_id)

    def flowables(self, data: Wild) -> "Iterator[Flowable]":
        """Hang, crash, or fail with odd texts."""
        yield Paragraph(f"About {data.what}")
        match data.what:
            case "U-FAMILY" | "U-BEGUN" | "U-BUSY" | "U-SESSION":
                _compute_for_ever()
            case "U-OVERFLOW":
                faulthandler._stack_overflow()  # type: ignore[attr-defined]
            case "U-POOL":
                _pool.submit(len, "").result()
            case "U-CRASH":
                ctypes.string_at(0)
            case "U-SPILL":
                _spilled[-1].write(bytes(12 << 20))
                _spilled[-1].flush()
            case "U-SURROGATE":
                raise ValueError("lone \ud800 surrogate, NUL \x00")
            case "U-WORDY":
                raise ValueError("\U0001f642" * 500_000)


def _fork() -> None:
    """Fork as many libraries do, and forget to end the copy."""
    os.fork()


def _fork_in_c() -> None:
    """Fork behind Python's back: none of its callbacks is run."""
    ctypes.PyDLL(None).fork()


def _start_in_a_session() -> None:
    """Start what no group and no session of the child holds, and a copy of the child likewise."""
    started = subprocess.Popen(["sleep", "123"], start_new_session=True, env={})
    copy = os.fork()
    if copy == 0:
        os.setsid()
        _note("descriptors", " ".join(_descriptors()))
        time.sleep(123)
        os._exit(0)
    _note("started", f"{started.pid} {copy}")


def _descriptors() -> list[str]:
    """Name the kinds of what is open here, from 3 on: pipes, and the file without a name."""
    kinds = {stat.S_IFIFO: "pipe", stat.S_IFREG: "file"}
    modes = [os.fstat(int(fd)).st_mode for fd in os.listdir("/proc/self/fd") if int(fd) > 2 and _is_open(fd)]  # noqa: PTH208
    return [kinds[stat.S_IFMT(mode)] for mode in modes if stat.S_IFMT(mode) in kinds]


def _is_open(fd: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{fd}")


def _forge() -> None:
    """Answer an order that is over, on each pipe that is at hand."""
    reply = {"id": "0" * 32, "code": "RENDER_FAILED", "cause": "forged", "reason": "", "stack": ""}
    for fd in range(3, 64):
        with contextlib.suppress(OSError):
            if stat.S_ISFIFO(os.fstat(fd).st_mode):
                os.write(fd, pack(reply))


def _forge_later() -> None:
    """Answer an order that is over, while the child waits for the next."""
    folder = Path(os.environ["SQR_TEST_SIGNALS"])

    def wait_and_forge() -> None:
        wait_until((folder / "go").exists, seconds=60, what="the end of the order")
        _forge()

    threading.Thread(target=wait_and_forge, daemon=True).start()


def _leak() -> None:
    """Keep more than half of what an attempt may take."""
    _leaked.append(bytearray(160 << 20))


def _open_a_file() -> None:
    """Open a file that the layout will write to."""
    _spilled.append(tempfile.TemporaryFile())  # noqa: SIM115 - closed with the process


def _note(name: str, text: str) -> None:
    Path(os.environ["SQR_TEST_SIGNALS"], f"{name}.part").write_text(text)
    Path(os.environ["SQR_TEST_SIGNALS"], f"{name}.part").rename(Path(os.environ["SQR_TEST_SIGNALS"], name))


_leaked: list[bytearray] = []
_spilled: list[Any] = []
_pool = ThreadPoolExecutor(1)
_STARTED_IN_LOAD = {
    "U-FORKS": _fork,
    "U-CFORKS": _fork_in_c,
    "U-SESSION": _start_in_a_session,
    "U-CRASH": _start_in_a_session,
    "U-FORGE": _forge,
    "U-LATE": _forge_later,
    "U-LEAK": _leak,
    "U-SPILL": _open_a_file,
}


def report_jobs() -> ReportJobs:
    """Build the wild service."""
    return build_report_jobs(Settings(), users=People(), templates=[WildReport()])


def report_jobs_beside_a_thread() -> ReportJobs:
    """Build it, and start what many libraries start: a thread that waits for ever."""
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    return report_jobs()


def raises() -> Any:
    """Fail to be built."""
    raise LookupError("no such setting")


def returns_nothing() -> Any:
    """Forget the return."""


def dies() -> Any:
    """Take the process along."""
    os._exit(7)


def hangs() -> Any:
    """Never return."""
    _compute_for_ever()


def _compute_for_ever() -> None:
    re.match(r"(a+)+$", "a" * 64 + "b")
