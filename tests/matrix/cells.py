"""The cells: which fault strikes at which phase. `impossible.py` tells which pairs can't be."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.matrix.orders import RENEWAL, RESERVATION, Order
from tests.servers.proxy import Strike

__all__ = ["CELLS", "NAMES", "OVER", "PHASES", "Cell", "batches", "of"]

PHASES = {
    "A": "before commit",
    "B": "committed and not rung",
    "C": "rung",
    "D": "fetched and unclaimed",
    "E": "rendering",
    "F": "rendered and not uploaded",
    "G": "uploaded and not recorded",
    "H": "recorded and not acknowledged",
    "I": "issuing a URL",
}
_WEB, _WORKER, _BROKER = "ABCI", "DEFGH", "ABCDEFGH"
OVER = "all"
"""The phase of a fault that lasts for a whole episode."""
_CLOCKS = {"10 min ahead": 600.0, "10 min behind": -600.0, "4 min behind": -240.0}
_SKEW_S = 240.0
"""What every store that checks signatures allows."""
_UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One fault at one phase."""

    fault: str
    phase: str
    orders: tuple[Order, ...] = ()
    """For the fault points; each must strike. `{}` in a name stands for the injection's number."""
    injury: str | None = None
    """What the runner does when the first order has struck, or at once where there is none."""
    strike: tuple[str, Strike] | None = None
    """What a proxy does, and before which server."""
    lasts_s: float = 0.0
    """How long a stopped process sleeps, or a server is away."""
    right_ends: tuple[str, ...] = ("document",)
    struck_ends: tuple[str, ...] = ()
    """How the struck job may end besides."""
    is_of_broker: bool = False
    """Whether a POST must take 500 ms at most meanwhile (I16)."""
    may_lack_objects: bool = False
    clock_offset_s: float = 0.0
    """By how much the programs' wall clocks are wrong; they are started anew for it."""
    clock_of: str = field(default="")
    has_next_version: tuple[str, ...] | None = None
    """The programs that a later version of the library runs from the start; None where there is none."""
    apart_s: float = 0.05
    """After how long the next client sets out."""

    @property
    def is_calm(self) -> bool:
        """Whether neither broker, database nor web server is touched: what a POST takes anyway."""
        return self.fault.startswith(("child", "cancelled", "right revoked"))

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        return f"{self.fault.replace(' ', '-')}@{self.phase}"


def _order(phase: str, action: str, *, nth: int = 3) -> tuple[Order, ...]:
    return (Order(name="{}", phase=phase, action=action, nth=nth),)


def _processes() -> list[Cell]:
    cells = []
    for phase in _WEB:
        cells.append(Cell(fault="web killed", phase=phase, orders=_order(phase, "kill")))
        cells.append(Cell(fault="web told to end", phase=phase, orders=_order(phase, "end")))
        cells.append(Cell(fault="web asleep", phase=phase, orders=_order(phase, "stop"), lasts_s=4.5))
    cells += [Cell(fault="call hangs", phase=phase, orders=_order(phase, "hang")) for phase in "ABCDFGHI"]
    for phase in _WORKER:
        cells.append(Cell(fault="worker killed", phase=phase, orders=_order(phase, "kill all")))
        cells.append(Cell(fault="worker told to end", phase=phase, orders=_order(phase, "end all")))
        cells.append(Cell(fault="worker asleep", phase=phase, orders=_order(phase, "stop"), lasts_s=4.5))
    for phase in "EFG":
        stop = Order(name="{}", phase=phase, action="stop", nth=3)
        held = Order(name="{}-held", phase="E", action="ask", nth=1, job_of="{}")
        cells.append(Cell(fault="worker asleep, overtaken", phase=phase, orders=(stop, held), injury="woken"))
    for fault, action in {
        "child holds the GIL": "spin",
        "child hangs in C": "hang",
        "child segfaults": "segv",
        "child killed": "kill child",
        "child out of memory": "memory",
        "disk full": "full",
    }.items():
        cells.append(Cell(fault=fault, phase="E", orders=_order("E", action)))
    return cells


def _brokers() -> list[Cell]:
    faults = {
        "broker flushed": ("redis flushed", 0.0),
        "broker killed, data kept": ("redis killed", 0.0),
        "broker restarted empty": ("redis emptied", 0.0),
        "broker silent": ("redis silent", 2.0),
    }
    cells = [
        Cell(
            fault=fault,
            phase=phase,
            orders=_order(phase, "ask"),
            injury=injury,
            lasts_s=lasts_s,
            is_of_broker=True,
        )
        for (fault, (injury, lasts_s)), phase in itertools.product(faults.items(), _BROKER)
    ]
    for phase, request in {"C": b"RPUSH", "D": b"fetch\r\n", "H": b"\r\nack\r\n"}.items():
        lost = ("redis", Strike(request=request, number=3, lose_reply=1))
        cells.append(Cell(fault="broker's reply lost", phase=phase, strike=lost, is_of_broker=True))
    counted = ("redis", Strike(request=b"sqr_jobs:moving", number=3, lose_reply=1))
    cells.append(Cell(fault="limiter's reply lost", phase="A", strike=counted, is_of_broker=True))
    silent = "broker silent past two breakers"
    cells.append(Cell(fault=silent, phase=OVER, injury="redis silent", lasts_s=12.0, is_of_broker=True))
    cells.append(
        Cell(fault="broker half open", phase=OVER, injury="redis half open", lasts_s=3.0, is_of_broker=True)
    )
    cells.append(Cell(fault="broker slow", phase=OVER, injury="redis slow", lasts_s=4.0, is_of_broker=True))
    cells.append(
        Cell(fault="broker fails over", phase=OVER, injury="redis failover", is_of_broker=True, apart_s=0.5)
    )
    cells.append(
        Cell(fault="broker refuses writes", phase=OVER, injury="redis full", lasts_s=6.0, is_of_broker=True)
    )
    cells += [
        Cell(fault="broker refuses", phase=phase, orders=_order(phase, "raise"), is_of_broker=True)
        for phase in "BC"
    ]
    cells.append(Cell(fault="message doubled", phase="B", orders=_order("B", "double", nth=0)))
    cells += [
        Cell(fault="messages shuffled, doubled", phase=phase, orders=_order(phase, "ask"), injury="shuffled")
        for phase in "CDEFGH"
    ]
    return cells


def _databases() -> list[Cell]:
    cells = []
    for phase in PHASES:
        asked = _order(phase, "ask")
        cells.append(Cell(fault="database killed", phase=phase, orders=asked, injury="postgres killed"))
        cells.append(Cell(fault="sessions terminated", phase=phase, orders=asked, injury="terminated"))
    for phase, why in {"A": b"create", "D": b"claim", "G": b"complete"}.items():
        after = len(why).to_bytes(4, "big") + why
        for fault, lose in {"cut at COMMIT": 0, "COMMIT's reply lost": 1}.items():
            what = Strike(request=b"COMMIT", after=after, number=3, lose_reply=lose)
            cells.append(Cell(fault=fault, phase=phase, strike=("postgres", what)))
    # A render is held, so that its lease is renewed; the reservation of the key comes before A.
    for phase, what, orders in (("A", RESERVATION, ()), ("E", RENEWAL, _order("E", "ask"))):
        for fault, lose in {f"{what} cut at COMMIT": 0, f"{what}'s COMMIT unanswered": 1}.items():
            number = 1 if orders else 3
            strike = Strike(request=b"COMMIT", after=what.encode(), number=number, lose_reply=lose)
            injury = "nothing" if orders else None
            cells.append(
                Cell(fault=fault, phase=phase, orders=orders, strike=("postgres", strike), injury=injury)
            )
    raises = "database raises"
    cells += [Cell(fault=raises, phase=phase, orders=_order(phase, "raise")) for phase in "ADGH"]
    cells.append(Cell(fault="database half open", phase=OVER, injury="postgres half open", lasts_s=3.0))
    cells.append(Cell(fault="database read-only", phase=OVER, injury="postgres read-only", lasts_s=3.0))
    # A failed upload has its job wait for a retry, at an instant that the clock then moves an hour away from.
    failed_upload = ("s3", Strike(request=b"PUT /", number=3, answer=_UNAVAILABLE))
    cells.append(
        Cell(fault="database's clock set back", phase=OVER, strike=failed_upload, injury="clock set back")
    )
    return cells


def _stores() -> list[Cell]:
    cells = []
    for phase, request in {"F": b"PUT /", "I": b"HEAD /"}.items():
        # A PUT is answered twice: told to go on, and then done.
        for fault, what in {
            "store answers 503": Strike(request=request, number=3, answer=_UNAVAILABLE),
            "store resets": Strike(request=request, number=3),
            "store's reply lost": Strike(request=request, number=3, lose_reply=2 if phase == "F" else 1),
        }.items():
            cells.append(Cell(fault=fault, phase=phase, strike=("s3", what)))
        cells.append(Cell(fault="store raises", phase=phase, orders=_order(phase, "raise")))
    cells.append(Cell(fault="store slow", phase=OVER, injury="s3 slow", lasts_s=4.0))
    cells.append(Cell(fault="store's credentials rotated", phase=OVER, injury="credentials rotated"))
    lost = {"object deleted": "object deleted", "object changed": "object changed"}
    cells += [
        Cell(
            fault=fault,
            phase=phase,
            orders=_order(phase, "ask"),
            injury=injury,
            struck_ends=("refused DOCUMENT_GONE",),
            may_lack_objects=True,
        )
        for (fault, injury), phase in itertools.product(lost.items(), "GHI")
    ]
    return cells


def _people() -> list[Cell]:
    cells = [
        Cell(
            fault="cancelled",
            phase=phase,
            orders=_order(phase, "ask"),
            injury="cancelled",
            struck_ends=("failed CANCELLED",),
        )
        for phase in "BCDEFGHI"
    ]
    for phase in PHASES:
        ends = ("refused USER_NOT_PERMITTED",)
        cells.append(
            Cell(
                fault="right revoked",
                phase=phase,
                orders=_order(phase, "ask"),
                injury="revoked",
                struck_ends=ends,
            )
        )
    return cells


def _times_and_upkeep() -> list[Cell]:
    cells = []
    for who, (off, offset_s) in itertools.product(("web", "worker"), _CLOCKS.items()):
        # A bucket refuses what a clock signed that is wrong by more than it allows, whoever sends it.
        refused = ("bytes refused 400", "bytes refused 403", "failed STORAGE_UNAVAILABLE")
        cells.append(
            Cell(
                fault=f"clock of {who} {off}",
                phase=OVER,
                injury="clocks",
                clock_offset_s=offset_s,
                clock_of=who,
                right_ends=("document", *(refused if abs(offset_s) > _SKEW_S else ())),
            )
        )
    mute = Order(name="{}-mute", phase="B", action="raise", nth=0)
    relay = Order(name="{}", phase="relay", action="kill all", nth=4)
    cells.append(Cell(fault="relay killed in mid-batch", phase="B", orders=(relay, mute)))
    # Two dead workers leave leases that run out while nobody looks, and then are many at one look.
    reaper = Order(name="{}", phase="reaper", action="kill all", nth=2)
    for phase in "EFG":
        first = Order(name="{}-first", phase=phase, action="kill all", nth=2)
        second = Order(name="{}-second", phase=phase, action="kill all", nth=5)
        cells.append(Cell(fault="reaper killed in mid-batch", phase=phase, orders=(reaper, first, second)))
    return cells


def _versions() -> list[Cell]:
    rolled = "next version rolled"
    return [
        Cell(fault=f"{rolled} out", phase=OVER, injury="rolled out", has_next_version=(), apart_s=1.0),
        Cell(
            fault=f"{rolled} back",
            phase=OVER,
            injury="rolled back",
            has_next_version=("worker-1", "worker-2", "fastapi", "flask"),
            apart_s=1.0,
        ),
        *(
            Cell(
                fault="worker killed, versions mixed",
                phase=phase,
                orders=_order(phase, "kill all"),
                has_next_version=("worker-1", "fastapi"),
            )
            for phase in "DEFGH"
        ),
    ]


CELLS: Sequence[Cell] = (
    *_processes(),
    *_brokers(),
    *_databases(),
    *_stores(),
    *_people(),
    *_times_and_upkeep(),
    *_versions(),
)
NAMES = {cell.name: cell for cell in CELLS}


def batches(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Put together what one deployment does in a row: versions, and clocks; each goes on from the last."""
    ordered = [cell for cell in CELLS if cell in cells]
    of_versions = [cell for cell in ordered if cell.has_next_version is not None]
    of_clocks = [cell for cell in ordered if cell.clock_of]
    others = [[cell] for cell in cells if cell not in of_versions + of_clocks]
    return [batch for batch in (of_versions, of_clocks, *others) if batch]


def of(*names: str) -> list[Cell]:
    """Find cells by their names. Raises `KeyError`."""
    return [NAMES[name] for name in names]
