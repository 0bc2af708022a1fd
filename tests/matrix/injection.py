"""One injection: a crowd of clients, one fault in the middle of it, and what became of every job."""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from sqr_jobs import Job
from tests.matrix.cells import Cell
from tests.matrix.checker import Evidence, check
from tests.matrix.history import Exchange, History, Journey
from tests.matrix.host import FEW
from tests.matrix.injuries import Injured, injure
from tests.matrix.lane import ATTEMPT_LIMIT_S, DEADLINE_S, Lane, are_gone
from tests.matrix.next_version import crossed
from tests.matrix.orders import Note
from tests.matrix.outcome import Outcome
from tests.matrix.travellers import Traveller
from tests.servers.ports import wait_until

__all__ = ["inject"]

_CROWD = 11
_PATIENCE_S = DEADLINE_S + 30
_STRIKE_S = 25
_MOMENT_S, _LOOK_S = 0.1, 0.03
_CHILD_END_S = 2.0
_DEADLY = ("kill", "kill all")
_HANGING = ("spin", "hang")


class _Injection:
    def __init__(self, lane: Lane, cell: Cell) -> None:
        self._lane = lane
        self._number = lane.number()
        self._cell = cell
        self._orders = [
            replace(
                order,
                name=order.name.format(f"i{self._number}"),
                job_of=order.job_of and order.job_of.format(f"i{self._number}"),
            )
            for order in cell.orders
        ]
        self._history = History(lane.folder / f"history-{self._number}.jsonl")
        self._orgs = (f"org-{self._number}", f"few-{self._number}")
        self._notes: dict[str, Note] = {}
        self._may_ask = threading.Event()
        self._struck_at: float | None = None
        self._ended_at = 0.0
        self._injured: Injured | None = None
        self._outcome = Outcome(cell=cell, has_struck=False)

    def run(self) -> Outcome:
        began = time.monotonic()
        self._prepare()
        with ThreadPoolExecutor(max_workers=_CROWD + 2) as threads:
            self._arm()
            travels = [threads.submit(self._set_out, number) for number in range(_CROWD)]
            few = threads.submit(self._ask_too_much)
            try:
                self._strike(travels)
                self._may_ask.set()
                while not (few.done() and all(future.done() for future in travels)):
                    self._lane.revive()
                    wait_until(_after(_MOMENT_S), seconds=5, what="a moment", every_s=_MOMENT_S)
            finally:
                self._lane.orders.withdraw()
                self._mend()
        self._lane.await_ready()
        self._judge()
        if self._cell.has_next_version is not None:
            self._outcome.has_struck &= crossed(self._lane.deployment.database, self._orgs[0]) > 0
        self._outcome.seconds = time.monotonic() - began
        return self._outcome

    def _prepare(self) -> None:
        self._lane.set_clocks(self._cell.clock_of, self._cell.clock_offset_s)
        self._lane.mix(self._cell.has_next_version)

    def _arm(self) -> None:
        if self._orders:
            self._lane.orders.give(self._orders)
        if self._cell.strike is not None:
            server, what = self._cell.strike
            getattr(self._lane.servers, f"{server}_proxy").strike(what)

    def _strike(self, travels: Sequence["Future[Journey]"]) -> None:
        """Wait for the fault to strike, and do the runner's part in it."""
        if self._cell.strike is not None:
            proxy = getattr(self._lane.servers, f"{self._cell.strike[0]}_proxy")
            self._await(proxy.dropped.is_set, travels)
            if not proxy.dropped.is_set():
                return
            self._has_struck(time.monotonic())
        for order in self._orders:
            self._await(partial(self._lane.orders.struck, order.name), travels)
            note = self._lane.orders.struck(order.name)
            if note is None:
                self._outcome.has_struck = False
                return
            self._notes[order.name] = note
            if order is self._orders[0]:
                self._watch_children(order.action, note)
        for note in self._notes.values():
            self._has_struck(note.at)
        first = self._notes[self._orders[0].name] if self._orders else None
        if first is not None:
            self._follow(self._orders[0].action, first)
        if self._cell.injury is not None:
            note = first
            if note is None:
                self._has_struck(time.monotonic())
            self._injured = Injured(
                self._lane,
                self._history,
                note,
                lasts_s=self._cell.lasts_s,
                go_on=partial(self._lane.orders.go_on, note.name if note else "nobody"),
            )
            injure(self._cell.injury, self._injured)
            self._ended_at = time.monotonic()
            self._outcome.has_struck &= self._injured.hits != 0

    def _follow(self, action: str, note: Note) -> None:
        if action == "stop" and self._cell.lasts_s:
            until = note.at + self._cell.lasts_s
            wait_until(lambda: time.monotonic() >= until, seconds=30, what="the end of the sleep")
            os.kill(note.pid, signal.SIGCONT)  # no recovery is counted from here: others go on meanwhile

    def _watch_children(self, action: str, note: Note) -> None:
        """Measure how long children live on: from a killed worker's death, from a hanging one's limit."""
        if action in _DEADLY and note.children:
            self._outcome.children_gone_s = _seen_until(note.children) - note.at
        elif action in _HANGING and note.phase == "E":
            self._outcome.overran_s = max(_seen_until([note.by]) - note.at - ATTEMPT_LIMIT_S, 0.0)

    def _has_struck(self, at: float) -> None:
        """Note the moment; of several, the first exposes jobs and the last begins the recovery."""
        self._outcome.has_struck = True
        self._may_ask.set()
        self._struck_at = at if self._struck_at is None else min(at, self._struck_at)
        self._ended_at = max(at, self._ended_at)

    def _await(self, condition: Callable[[], object], travels: Sequence["Future[Journey]"]) -> None:
        def is_over() -> bool:
            self._lane.revive()
            return bool(condition()) or all(future.done() for future in travels)

        wait_until(is_over, seconds=_PATIENCE_S + _STRIKE_S, what="the strike", every_s=_LOOK_S)

    def _mend(self) -> None:
        for note in self._notes.values():
            if self._cell.orders[0].action == "stop" and not are_gone([note.pid]):
                os.kill(note.pid, signal.SIGCONT)
        self._lane.servers.mend()

    def _traveller(self, number: int, org: str | None = None) -> Traveller:
        return Traveller(
            self._history,
            self._lane.urls,
            org or self._orgs[0],
            f"U{self._number}-{number}",
            patience_s=_PATIENCE_S,
            first=number,
        )

    def _set_out(self, number: int) -> Journey:
        """Let one after the other begin: a burst would measure itself."""
        apart_s = self._cell.apart_s
        wait_until(_after(number * apart_s), seconds=_PATIENCE_S, what="this one's turn", every_s=apart_s)
        return self._traveller(number).travel()

    def _ask_too_much(self) -> None:
        """Ask, once it has struck, for more than the org may have, for one person twice at once."""
        self._may_ask.wait(_PATIENCE_S)
        with ThreadPoolExecutor(max_workers=FEW.requests + 2) as threads:
            for number in (20, 20, 21, 22):
                threads.submit(self._traveller(number, self._orgs[1]).ask_once)

    def _judge(self) -> None:
        jobs = self._settled()
        for job in jobs:
            other = self._orgs[1] if job.org_id == self._orgs[0] else self._orgs[0]
            self._traveller(0, other).probe(job.job_id)
        job_ids = [job.job_id for job in jobs]
        cell, outcome = self._cell, self._outcome
        struck = {note.job_id for note in self._notes.values()} | {note.user for note in self._notes.values()}
        outcome.verdict = check(
            Evidence(
                exchanges=self._history.exchanges,
                journeys=[self._rightly(journey, struck) for journey in self._history.journeys],
                jobs=jobs,
                histories={job_id: self._lane.deployment.history(job_id) for job_id in job_ids},
                objects=self._lane.servers.objects_of(job_ids),
                ceilings={self._orgs[1]: FEW.requests},
                right_ends=cell.right_ends,
                revoked_at=self._injured.revoked_at if self._injured else {},
                may_lack_objects=cell.may_lack_objects,
                onlookers=self._orgs[1:],
                struck=struck,
            )
        )
        if self._struck_at is None:
            return
        exposed = [journey for journey in self._history.journeys if journey.ended > self._struck_at]
        outcome.exposed = len(exposed)
        outcome.without_document = sum(journey.end != "document" for journey in exposed)
        last = max((journey.ended for journey in exposed), default=self._ended_at)
        outcome.recovery_s = max(last - self._ended_at, 0.0)
        outcome.posts_s = [
            seen.took_s for seen in self._history.exchanges if self._is_free_post(seen, struck)
        ]
        lived_s = max(outcome.children_gone_s or 0.0, outcome.overran_s or 0.0)
        if lived_s > _CHILD_END_S:
            outcome.verdict.violations.append(f"I14: render children lived on for {lived_s:.1f} s")

    def _settled(self) -> list[Job]:
        """Read the jobs once all have ended: those that nobody waits for too."""
        wait_until(
            lambda: not any(job.is_active for job in self._lane.jobs_of(self._orgs)),
            seconds=DEADLINE_S + 15,
            what="the end of every job",
        )
        return self._lane.jobs_of(self._orgs)

    def _rightly(self, journey: Journey, struck: set[str | None]) -> Journey:
        """Count the struck job's own right ends as right."""
        is_struck = journey.job_id in struck or journey.user in struck
        if is_struck and journey.end in self._cell.struck_ends:
            return replace(journey, end=self._cell.right_ends[0])
        return journey

    def _is_free_post(self, seen: Exchange, struck: set[str | None]) -> bool:
        is_held = seen.job_id in struck or seen.user in struck
        return seen.kind == "create" and seen.answered is not None and not is_held


def inject(lane: Lane, cell: Cell) -> Outcome:
    """Run a cell once."""
    return _Injection(lane, cell).run()


def _after(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() >= until


def _seen_until(pids: Sequence[int]) -> float:
    """Return when processes were last seen, once they are gone or long overdue."""
    seen_at = began = time.monotonic()

    def are_past() -> bool:
        nonlocal seen_at
        looked_at = time.monotonic()
        if are_gone(pids):
            return True
        seen_at = looked_at
        return looked_at > began + 15

    wait_until(are_past, seconds=30, what="the children's end")
    return seen_at
