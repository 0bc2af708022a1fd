"""Orders to the fault points: which fault strikes at which phase, and the note that it has struck.

Runner and struck processes talk through a folder. Nothing of the product is imported here: a render child
reads orders too.
"""

import contextlib
import itertools
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from tests.servers.ports import wait_until

__all__ = ["FOLDER", "RENEWAL", "RESERVATION", "Note", "Order", "Orders", "await_runner", "due", "tell_clock"]

FOLDER = "SQR_TEST_ORDERS"
"""The environment variable that names the folder."""

RESERVATION, RENEWAL = "reservation", "renewal"
"""What the fault points write into these transactions, for a proxy to know them by."""

_ASK_S = 60


@dataclass(frozen=True, kw_only=True)
class Order:
    """One fault, for whichever process reaches the phase for the n-th time."""

    name: str
    phase: str
    action: str
    nth: int = 1
    """Which call is struck, over all processes; 0 strikes every call."""
    job_of: str | None = None
    """Counts only calls about the job that this other order has struck."""


@dataclass(frozen=True, kw_only=True)
class Note:
    """What a fault point wrote just before it struck."""

    name: str
    phase: str
    at: float
    """Monotonic seconds, which all processes of a machine share."""
    pid: int
    """The process that is struck; of a render child's phase, its worker."""
    by: int
    """The process that wrote this: the same, or the render child itself."""
    children: tuple[int, ...]
    """The render children of the process that is struck."""
    job_id: str | None
    user: str | None
    """The person, where the job's row can't be seen yet."""
    is_waiting: bool
    """Whether it waits until the runner has done its part."""


class Orders:
    """The folder, as the runner sees it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(exist_ok=True)

    def give(self, orders: Sequence[Order]) -> None:
        """Replace all orders at once."""
        draft = self.folder / "orders.draft"
        draft.write_text(json.dumps([asdict(order) for order in orders]), encoding="utf-8")
        draft.rename(self.folder / "orders.json")

    def withdraw(self) -> None:
        """Let nothing strike any more, whoever waits go on, and forget the notes."""
        with contextlib.suppress(FileNotFoundError):
            (self.folder / "orders.json").unlink()
        for note in self.folder.glob("*.struck"):
            note.with_suffix(".done").touch()
        for path in self.folder.glob("*.call-*"):
            path.unlink()

    def clocks(self) -> list[float]:
        """Tell by how many seconds the clocks of programs were wrong that began since the last question."""
        told = []
        for path in self.folder.glob("*.clock"):
            told.append(float(path.read_text(encoding="utf-8")) - path.stat().st_mtime)
            path.unlink()
        return told

    def struck(self, name: str) -> Note | None:
        """Read the first note of an order, once it is written in full."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            line = (self.folder / f"{name}.struck").read_text(encoding="utf-8").splitlines()[:1]
            if line:
                fields = json.loads(line[0])
                return Note(**{**fields, "children": tuple(fields["children"])})
        return None

    def go_on(self, name: str) -> None:
        """Let the process that waits go on."""
        (self.folder / f"{name}.done").touch()


def due(
    phase: str, job_id: str | None = None, *, user: str | None = None, pid: int | None = None
) -> Order | None:
    """Find the order that strikes this very call, and note it; the caller carries it out."""
    for order in _given(phase):
        if _is_about(order, job_id) and _is_nth(order):
            _note(order, job_id, user, os.getpid() if pid is None else pid)
            return order
    return None


def tell_clock() -> None:
    """Write this process's time down, into a file that bears the kernel's."""
    draft = _folder() / f"{os.getpid()}.draft"
    draft.write_text(str(time.time()), encoding="utf-8")
    draft.rename(draft.with_suffix(".clock"))


def await_runner(order: Order) -> None:
    """Wait until the runner has done its part."""
    done = _folder() / f"{order.name}.done"
    with contextlib.suppress(TimeoutError):
        wait_until(done.exists, seconds=_ASK_S, what="the runner's part")


def _given(phase: str) -> Iterator[Order]:
    with contextlib.suppress(FileNotFoundError, KeyError):
        for fields in json.loads((_folder() / "orders.json").read_text(encoding="utf-8")):
            if fields["phase"] == phase:
                yield Order(**fields)


def _is_about(order: Order, job_id: str | None) -> bool:
    if order.job_of is None:
        return True
    other = Orders(_folder()).struck(order.job_of)
    return other is not None and other.job_id == job_id


def _is_nth(order: Order) -> bool:
    if order.nth == 0:
        return True
    for number in itertools.count(1):
        if number > order.nth:
            return False
        try:
            os.close(os.open(_folder() / f"{order.name}.call-{number}", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            continue
        return number == order.nth
    raise AssertionError


def _note(order: Order, job_id: str | None, user: str | None, pid: int) -> None:
    children = []
    with contextlib.suppress(psutil.Error):
        children = [child.pid for child in psutil.Process(pid).children(recursive=True)]
    note = Note(
        name=order.name,
        phase=order.phase,
        at=time.monotonic(),
        pid=pid,
        by=os.getpid(),
        children=tuple(children),
        job_id=job_id,
        user=user,
        is_waiting=order.action == "ask",
    )
    with (_folder() / f"{order.name}.struck").open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(note)) + "\n")


def _folder() -> Path:
    return Path(os.environ[FOLDER])
