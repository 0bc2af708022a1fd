"""Measures the capacity, loads at a share of it, and raises the rate until it does not hold."""

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url, text

from tests.acceptance.program import ROOT
from tests.bench.byhand.config import PREFIX
from tests.bench.cpu import busy_cpu_s, tree_cpu_s
from tests.bench.figures import MeasurementBroken
from tests.bench.http_client import Tokens
from tests.bench.servers import running_servers
from tests.bench.site import Site
from tests.load.judge import DRAIN_S, Phase, faults_of, is_disturbed
from tests.load.visits import Orders, Seen, read_seen
from tests.load.watch import Watch

__all__ = ["FULL", "QUICK", "SHARE", "Effort", "Loaded", "run_load"]

SHARE = 0.7
_STEPS = (0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5)
_BACKLOG = 24
_AGAIN = 2
"""How often a step is made anew that broke while other programs took its processors."""
_MOST_PER_S = 120
"""How many jobs a second a closed loop has people for."""
_LEAD_S = 2.0
"""From the start of the asking process to its first question."""


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long is measured."""

    warm_up_s: float
    capacity_s: float
    load_s: float
    step_s: float
    steps: Sequence[float]


FULL = Effort(warm_up_s=8, capacity_s=30, load_s=180, step_s=25, steps=_STEPS)
QUICK = Effort(warm_up_s=6, capacity_s=3, load_s=6, step_s=5, steps=_STEPS[:1])


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What a run showed."""

    capacity: float
    """Jobs in a second, closed loop."""
    steady: Phase
    steps: Sequence[Phase]

    @property
    def knee(self) -> Phase | None:
        """The first rate that did not hold."""
        return next((phase for phase in self.steps if list(faults_of(phase))), None)


class _Load:
    def __init__(self, site: Site, urls: Sequence[str], watch: Watch, effort: Effort, seed: int) -> None:
        self._site, self._urls, self._watch, self._effort = site, urls, watch, effort
        self._chance = random.Random(seed)
        self._phases = 0

    def run(self) -> Loaded:
        effort = self._effort
        capacity = self._capacity()
        _say(f"capacity {capacity:.1f} jobs/s")
        steady = self._phase(SHARE, capacity, effort.load_s)
        steps = []
        for factor in effort.steps:
            phase = self._phase(factor, capacity, effort.step_s)
            for _ in range(_AGAIN):
                if is_disturbed(phase):
                    phase = self._phase(factor, capacity, effort.step_s)
            steps.append(phase)
            if any(faults_of(phase)):
                break
        return Loaded(capacity=capacity, steady=steady, steps=steps)

    def _capacity(self) -> float:
        """Keep so many jobs unfinished that nobody idles, and count what is completed."""
        effort = self._effort
        lasts_s = effort.warm_up_s + effort.capacity_s
        database = make_url(self._site.backends.database_url).set(drivername="postgresql")
        starts_at = time.monotonic() + _LEAD_S
        orders = Orders(
            urls=self._urls,
            prefix=PREFIX,
            people=self._people(round(lasts_s * _MOST_PER_S)),
            starts_at=starts_at,
            closed_for_s=lasts_s + _LEAD_S,
            backlog=_BACKLOG,
            database=database.render_as_string(hide_password=False),
        )
        asking = self._ask(orders)
        _wait_for(starts_at + effort.warm_up_s)
        before, began = self._complete(), time.monotonic()
        _wait_for(starts_at + lasts_s)
        done, took_s = self._complete() - before, time.monotonic() - began
        self._answers(asking)
        self._drain()
        if not done:
            raise MeasurementBroken("no job was completed while the capacity was measured")
        return done / took_s

    def _phase(self, factor: float, capacity: float, seconds: float) -> Phase:
        rate = factor * capacity
        moments, at = [], 0.0
        while (at := at + self._chance.expovariate(rate)) < seconds:
            moments.append(at)
        before = self._complete()
        people = self._people(len(moments))
        starts_at = time.monotonic() + _LEAD_S
        asking = self._ask(
            Orders(urls=self._urls, prefix=PREFIX, people=people, moments=moments, starts_at=starts_at)
        )
        _wait_for(starts_at)
        busy, own = busy_cpu_s(), tree_cpu_s([os.getpid()])
        _wait_for(starts_at + seconds)
        busy, own = busy_cpu_s() - busy, tree_cpu_s([os.getpid()]) - own
        drained_s = self._drain()
        seen = self._answers(asking)
        phase = Phase(
            factor=factor,
            rate=rate,
            began=starts_at,
            ended=starts_at + seconds,
            seen=seen,
            looks=self._watch.between(starts_at, starts_at + seconds),
            arrivals=len(moments),
            complete=self._complete() - before,
            drained_s=drained_s,
            busy_cores=busy / seconds,
            others_cores=max(busy - own, 0) / seconds,
            notes=tuple(self._watch.broken),
        )
        _say(
            f"{factor:.1f} of the capacity: {'; '.join(faults_of(phase)) or 'holds'}; others kept "
            f"{phase.others_cores:.2f} cores busy"
        )
        return phase

    def _ask(self, orders: Orders) -> tuple["subprocess.Popen[bytes]", Path]:
        self._phases += 1
        given = self._site.folder / f"orders-{self._phases}.json"
        seen = self._site.folder / f"seen-{self._phases}.jsonl"
        given.write_text(orders.to_json(), encoding="utf-8")
        command = [sys.executable, "-m", "tests.load.crowd", str(given), str(seen)]
        return subprocess.Popen(command, cwd=ROOT), seen

    def _answers(self, asking: tuple["subprocess.Popen[bytes]", Path]) -> list[Seen]:
        process, seen = asking
        if process.wait(timeout=600) != 0:
            raise MeasurementBroken("the asking process failed")
        return read_seen(seen)

    def _drain(self) -> float | None:
        """Wait until nothing waits or runs."""
        began = time.monotonic()
        while time.monotonic() < began + 2 * DRAIN_S:
            if not self._count("active_slot = 1"):
                return time.monotonic() - began
            _wait_for(time.monotonic() + 0.1)
        return None

    def _people(self, count: int) -> list[tuple[str, str]]:
        people = (self._site.new_person() for _ in range(count))
        return [(self._site.tokens.of(org), user) for org, user in people]

    def _complete(self) -> int:
        return self._count("state = 'COMPLETE'")

    def _count(self, condition: str) -> int:
        with self._site.engine.connect() as connection:
            return int(
                connection.execute(text(f"SELECT count(*) FROM sqr_jobs_job WHERE {condition}")).scalar_one()
            )


def run_load(effort: Effort, folder: Path, *, seed: int) -> Loaded:
    """Start everything, and measure."""
    with (
        running_servers() as servers,
        servers.backends() as backends,
        Site.distributed(folder / "site", Tokens(), backends, worker_threads=1) as site,
    ):
        site.worker(processes=2)
        urls = [site.web(name, f"tests.bench.host:{name}_app") for name in ("fastapi", "flask")]
        with Watch(site.engine, site.programs) as watch:
            return _Load(site, urls, watch, effort, seed).run()


def _wait_for(moment: float) -> None:
    threading.Event().wait(max(moment - time.monotonic(), 0))


def _say(line: str) -> None:
    sys.stderr.write(f"load: {line}\n")
    sys.stderr.flush()
