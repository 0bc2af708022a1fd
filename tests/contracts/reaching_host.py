"""A host whose template reaches for the network, processes and files, in `load` or in its layout.

The user id says what it is up against, where, and in which way: `both.load.sqlite_reads`,
`hook.layout.sqlite_reads`.
"""

import asyncio
import concurrent.futures
import contextlib
import ctypes
import importlib
import mimetypes
import multiprocessing
import os
import pwd
import socket
import sqlite3
import subprocess
import sys
import time
import zoneinfo
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from lxml import etree
from pydantic import BaseModel

from sqr_jobs import Paragraph, ReportJobs, ReportRequest, Settings, Template, build_report_jobs
from sqr_jobs.documents.guard import Guard
from sqr_jobs.documents.sandbox import KernelLayers, Sandbox
from tests.host.people import People

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reportlab.platypus import Flowable

__all__ = ["HARMLESS", "WAYS", "report_jobs"]

WAYS: dict[str, Callable[[], object]] = {}
"""What a template may reach for; each raises where it is refused."""
HARMLESS: dict[str, Callable[[], object]] = {}
"""What reaches nobody."""

_layers = ["both"]
_libc = ctypes.CDLL(None, use_errno=True)


def _way(do: Callable[[], object]) -> Callable[[], object]:
    WAYS[do.__name__] = do
    return do


def _harmless(do: Callable[[], object]) -> Callable[[], object]:
    HARMLESS[do.__name__] = do
    return do


def _here(name: str) -> Path:
    """Name a file of the test's folder, in which all of them are there before."""
    return Path(os.environ["SQR_TEST_REACHED"], name)


def _address() -> tuple[str, int]:
    return "127.0.0.1", int(os.environ["SQR_TEST_PORT"])


def _in_c(function: str, *arguments: object) -> int:
    done = getattr(_libc, function)(*arguments)
    if done < 0:
        raise OSError(ctypes.get_errno(), function)
    return int(done)


def _ended(pid: int) -> None:
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


@_way
def connects() -> None:
    socket.create_connection(_address()).close()


@_way
def libpq_connects() -> None:
    try:
        psycopg.connect(host=_address()[0], port=_address()[1], connect_timeout=5).close()
    except psycopg.OperationalError as error:
        if "closed the connection" not in str(error):  # which is how the test's server greets everyone
            raise


@_way
def sends_by_sendto() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(b"x", _address())


@_way
def sends_by_sendmsg() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendmsg([b"x"], [], 0, _address())


@_way
def looks_up_an_address() -> None:
    socket.getaddrinfo("localhost", 80)


@_way
def looks_up_a_host() -> None:
    socket.gethostbyaddr("127.0.0.1")


@_way
def looks_up_a_name() -> None:
    socket.getnameinfo(_address(), socket.NI_NUMERICHOST)


@_way
def reads_a_file() -> None:
    _here("read").read_bytes()


@_way
def writes_a_file() -> None:
    _here("written").write_bytes(b"x")


@_way
def sqlite_reads() -> None:
    uri = f"{_here('read.db').as_uri()}?mode=ro"
    with sqlite3.connect(uri, uri=True) as connection:
        connection.execute("SELECT * FROM secret").fetchall()
    connection.close()


@_way
def sqlite_writes() -> None:
    connection = sqlite3.connect(_here("written.db"))
    connection.execute("CREATE TABLE IF NOT EXISTS trace (id INTEGER)")
    connection.close()


@_way
def sqlite_attaches_a_file() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("ATTACH DATABASE ? AS other", (str(_here("read.db")),))
    connection.execute("SELECT * FROM other.secret").fetchall()
    connection.close()


@_way
def lxml_reads() -> None:
    etree.parse(str(_here("read.xml")))


@_way
def removes() -> None:
    _here("removed").unlink()


@_way
def removes_a_folder() -> None:
    _here("removed.d").rmdir()


@_way
def renames() -> None:
    _here("renamed").rename(_here("renamed.to"))


@_way
def truncates() -> None:
    os.truncate(_here("truncated"), 0)


@_way
def makes_a_folder() -> None:
    _here("made.d").mkdir()


@_way
def changes_a_mode() -> None:
    _here("read").chmod(0o640)


@_way
def changes_a_time() -> None:
    os.utime(_here("read"), (1, 1))


@_way
def makes_a_symlink() -> None:
    _here("symlink").symlink_to("read")


@_way
def makes_a_link() -> None:
    _here("link").hardlink_to(_here("read"))


@_way
def makes_a_fifo() -> None:
    os.mkfifo(_here("fifo"))


@_way
def forks() -> None:
    _ended(os.fork())


@_way
def forks_with_a_terminal() -> None:
    pid, terminal = os.forkpty()
    _ended(pid)
    os.close(terminal)


@_way
def starts_a_program() -> None:
    subprocess.run(["true"], check=True)


@_way
def starts_a_shell() -> None:
    assert os.system("true") == 0


@_way
def spawns() -> None:
    _ended(os.posix_spawn(sys.executable, [sys.executable, "-c", ""], {}))


@_way
def multiprocessing_forks() -> None:
    _run_with("fork")


@_way
def multiprocessing_spawns() -> None:
    _run_with("spawn")


def _run_with(method: str) -> None:
    process = multiprocessing.get_context(method).Process(target=int)  # type: ignore[attr-defined]  # each has one
    process.start()
    process.join()


@_way
def c_code_forks() -> None:
    _ended(_in_c("fork"))


@_way
def c_code_connects() -> None:
    os.close(_in_c("socket", socket.AF_UNIX, socket.SOCK_STREAM, 0))


@_way
def c_code_reads() -> None:
    os.close(_in_c("open", bytes(_here("read")), os.O_RDONLY))


@_way
def c_code_writes() -> None:
    os.close(_in_c("open", bytes(_here("written.c")), os.O_WRONLY | os.O_CREAT, 0o600))


@_way
def c_code_removes() -> None:
    _in_c("unlink", bytes(_here("removed.c")))


@_way
def c_code_changes_a_mode() -> None:
    _in_c("chmod", bytes(_here("read")), 0o640)


@_harmless
def tells_the_local_time() -> None:
    time.tzset()
    for path in ("/etc/localtime", "/etc/timezone"):
        with contextlib.suppress(FileNotFoundError):
            Path(path).read_bytes()
    assert zoneinfo.ZoneInfo.no_cache("Europe/Berlin").key


@_harmless
def guesses_a_type() -> None:
    with contextlib.suppress(FileNotFoundError):
        Path("/etc/mime.types").read_bytes()
    mimetypes.init()


@_harmless
def imports_late() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in {"lxml", "psycopg"}]:
        del sys.modules[name]
    importlib.import_module("lxml.html")
    importlib.import_module("sqlite3.dbapi2")
    importlib.import_module("ssl")


@_harmless
def counts_in_memory() -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE number (id INTEGER)")


@_harmless
def starts_threads() -> None:
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        assert list(pool.map(len, ["a", "b"])) == [1, 1]
    assert asyncio.run(asyncio.sleep(0, "done")) == "done"


@_harmless
def looks_up_who_runs() -> None:
    assert pwd.getpwuid(0).pw_name


@_harmless
def looks_for_a_file() -> None:
    assert Path("/etc").is_dir()
    assert list(Path("/etc").iterdir())


class Reach(BaseModel):
    """Which way."""

    where: str
    way: str


class ReachingReport(Template[Reach], name="report", version="v1"):
    """Reaches where the user id says."""

    def load(self, request: ReportRequest) -> Reach:
        """Reach, if it is to be here."""
        _layers[0], where, way = request.user_id.split(".")
        if where == "load":
            WAYS[way]()
        return Reach(where=where, way=way)

    def flowables(self, data: Reach) -> "Iterator[Flowable]":
        """Reach, if it is to be here."""
        if data.where == "layout":
            (WAYS | HARMLESS)[data.way]()
        yield Paragraph("It was allowed.")


def report_jobs() -> ReportJobs:
    """Build the service, and let a user id switch a layer of the guard off."""
    judge, restrict = Guard._judge, Sandbox.restrict_this_thread

    def judge_unless_off(guard: Guard, event: str, arguments: tuple[Any, ...]) -> None:
        if _layers != ["kernel"]:
            judge(guard, event, arguments)

    def restrict_unless_off(sandbox: Sandbox) -> KernelLayers | None:
        return None if _layers == ["hook"] else restrict(sandbox)

    Guard._judge = judge_unless_off  # type: ignore[method-assign]
    Sandbox.restrict_this_thread = restrict_unless_off  # type: ignore[method-assign,assignment]
    return build_report_jobs(Settings(), users=People(), templates=[ReachingReport()])
