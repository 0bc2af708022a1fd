"""The soak's faults: each strikes for certain, and proves that it did."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil

from tests.matrix.history import History
from tests.matrix.injuries import Injured, injure
from tests.matrix.lane import are_gone
from tests.servers.ports import wait_until
from tests.servers.proxy import Strike
from tests.soak.plan import PlannedFault
from tests.soak.site import Site

__all__ = ["FAULTS", "Fault", "inflict"]

_ASLEEP_S = 4.5
"""Longer than the lease of 3 s."""
_LASTS_S = {"redis silent": 3.0, "redis half open": 3.0, "redis slow": 4.0, "postgres half open": 3.0}
_BURST_S = 2.0
"""How long the bucket refuses: less than the retries of an upload take together, 2.4 s at least."""
_CHILD_END_S = 2.0
_UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

_SIGNALS = {"killed": signal.SIGKILL, "told to end": signal.SIGTERM, "asleep": signal.SIGSTOP}
_INJURIES = {
    "broker flushed": "redis flushed",
    "broker killed, data kept": "redis killed",
    "broker restarted empty": "redis emptied",
    "broker silent": "redis silent",
    "broker half open": "redis half open",
    "broker slow": "redis slow",
    "messages shuffled, doubled": "shuffled",
    "database killed": "postgres killed",
    "sessions terminated": "terminated",
    "database half open": "postgres half open",
    "store slow": "s3 slow",
}
_BURSTS = {
    "store answers 503": Strike(request=b"PUT /", answer=_UNAVAILABLE),
    "store resets": Strike(request=b"PUT /"),
}
FAULTS: Sequence[str] = (
    *(f"{who} {what}" for who in ("worker", "web") for what in _SIGNALS),
    "upkeep killed",
    "child killed",
    *_INJURIES,
    *_BURSTS,
)


@dataclass(kw_only=True)
class Fault:
    """One fault that was inflicted."""

    name: str
    began: float
    """Monotonic seconds."""
    ended: float = 0.0
    """When what it did was over; a process is then started anew."""
    has_struck: bool = False
    """Whether it was seen to do something: a process ended, bytes were held back, sessions were cut."""
    children_gone_s: float | None = None
    """Of a killed worker: for how long its render children were still seen afterwards."""

    @property
    def is_of_broker(self) -> bool:
        """Whether I16 speaks of it."""
        return self.name.startswith(("broker", "messages"))


def inflict(site: Site, planned: PlannedFault, history: History) -> Fault:
    """Inflict one, and return when it is over."""
    fault = Fault(name=planned.name, began=time.monotonic())
    who, _, what = planned.name.partition(" ")
    try:
        if planned.name == "child killed":
            _kill_child(site, fault, planned)
        elif planned.name in _BURSTS:
            _burst(site, fault)
        elif planned.name in _INJURIES:
            _injure(site, fault, history)
        else:
            names = {"worker": site.workers, "web": site.webs, "upkeep": site.upkeep}[who]
            _signal(site, fault, names[planned.target % len(names)], _SIGNALS[what])
    finally:
        site.heal()
        fault.ended = fault.ended or time.monotonic()
    return fault


def _signal(site: Site, fault: Fault, name: str, number: signal.Signals) -> None:
    program = site.program(name)
    children = _render_children(program.pid)
    fault.began = time.monotonic()
    program.signal_group(number)
    if number is signal.SIGSTOP:
        with contextlib.suppress(psutil.NoSuchProcess, TimeoutError):
            first = psutil.Process(program.pid)
            wait_until(lambda: first.status() == psutil.STATUS_STOPPED, seconds=2, what="the sleep")
            fault.has_struck = True
        _last(_ASLEEP_S)
        with contextlib.suppress(ProcessLookupError):
            program.signal_group(signal.SIGCONT)
        return
    fault.ended = time.monotonic()
    wait_until(lambda: not program.is_alive(), seconds=20, what=f"the end of {name}")
    fault.has_struck = True
    if number is signal.SIGKILL and children:
        fault.children_gone_s = _seen_for_s(children, fault.began)


def _injure(site: Site, fault: Fault, history: History) -> None:
    injury = _INJURIES[fault.name]
    server = injury.split()[0]
    seen = {"redis": site.run_of_redis, "postgres": site.run_of_postgres}
    is_kill = injury in ("redis killed", "redis emptied", "postgres killed")
    proxy = getattr(site.servers, f"{server}_proxy", site.servers.redis_proxy)
    before = seen[server]() if is_kill else ""
    keys, held_back = site.keys_of_redis() if injury == "redis flushed" else 0, proxy.held_back
    injured = Injured(
        site, history, None, lasts_s=_LASTS_S.get(injury, 4.0 if injury == "s3 slow" else 0), go_on=_nothing
    )
    fault.began = time.monotonic()
    injure(injury, injured)
    fault.ended = time.monotonic()
    if is_kill:
        fault.has_struck = seen[server]() != before
    else:
        fault.has_struck = bool(injured.hits or keys or proxy.held_back > held_back)


def _burst(site: Site, fault: Fault) -> None:
    """Refuse one upload after the other."""
    until = time.monotonic() + _BURST_S
    while time.monotonic() < until:
        site.servers.s3_proxy.strike(_BURSTS[fault.name])
        with contextlib.suppress(TimeoutError):
            left = max(until - time.monotonic(), 0)
            wait_until(site.servers.s3_proxy.dropped.is_set, seconds=left, what="an upload")
            fault.has_struck = True


def _kill_child(site: Site, fault: Fault, planned: PlannedFault) -> None:
    children = [child for name in site.workers for child in _render_children(site.program(name).pid)]
    if not children:
        return
    chosen = random.Random(planned.target).choice(sorted(children))
    fault.began = time.monotonic()
    with contextlib.suppress(ProcessLookupError):
        os.kill(chosen, signal.SIGKILL)
        wait_until(lambda: are_gone([chosen]), seconds=10, what="the child's end")
        fault.has_struck = True


def _render_children(pid: int) -> list[int]:
    """Find the render children below a worker's first process."""
    found = []
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if "sqr_jobs.documents.child" in child.cmdline():
                    found.append(child.pid)
    return found


def _seen_for_s(children: Sequence[int], since: float) -> float:
    """Tell for how long any of them was seen; what ends between two looks was there at the first of them."""
    last = 0.0

    def are_all_gone() -> bool:
        nonlocal last
        moment = time.monotonic() - since
        if are_gone(children):
            return True
        last = moment
        return False

    with contextlib.suppress(TimeoutError):
        wait_until(are_all_gone, seconds=5 * _CHILD_END_S, what="the children's end")
    return last


def _last(seconds: float) -> None:
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= until, seconds=seconds + 5, what="the fault's end")


_nothing: Callable[[], None] = lambda: None
