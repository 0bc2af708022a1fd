"""One soak: clients, faults and a supervisor side by side, and then all that is known of it."""

import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from tests.acceptance.canaries import NAMES, found_in
from tests.host.reports import KEY
from tests.matrix.checker import Evidence, Verdict
from tests.matrix.history import History
from tests.servers.ports import wait_until
from tests.soak.clients import Clients
from tests.soak.faults import Fault, inflict
from tests.soak.host import FEW
from tests.soak.judge import Soaked, judge
from tests.soak.plan import Plan
from tests.soak.site import DEADLINE_S, Site, pause_until

__all__ = ["Result", "soak"]

_THREADS = 40
"""How many errands are under way at most: a deployment that falls behind is not buried."""
_PATIENCE_S = DEADLINE_S + 30
_TELL_EVERY_S = 30.0
_CANARIES = {
    "a person's name": NAMES,
    "a token": "Bearer ey",
    "the key of tokens": KEY,
    "a signed URL": "X-Amz-Signature=",
}


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run showed."""

    plan: Plan
    soaked: Soaked
    verdict: Verdict
    took_s: float
    """From the first errand to the end of the last."""


class _Soak:
    def __init__(self, site: Site, plan: Plan) -> None:
        self._site, self._plan = site, plan
        self._history = History(site.folder / "history.jsonl")
        self._clients = Clients(self._history, site.urls, patience_s=_PATIENCE_S)
        self._faults: list[Fault] = []
        self._broken: list[str] = []
        self._is_over, self._is_mended = threading.Event(), threading.Event()
        self.took_s = 0.0

    def run(self, expected_faults: Sequence[str]) -> Soaked:
        began = time.monotonic()
        threads = [
            threading.Thread(target=self._site.supervise, args=(self._is_mended,)),
            threading.Thread(target=self._strike, args=(began,)),
        ]
        for thread in threads:
            thread.start()
        try:
            self._send_out(began)
            self.took_s = time.monotonic() - began
            self._is_over.set()
            threads[1].join()
            self._await_ends()
        finally:
            self._is_over.set()
            threads[1].join()
            self._is_mended.set()
            threads[0].join()
        return self._evidence(expected_faults)

    def _send_out(self, began: float) -> None:
        errands = self._plan.errands
        next_told = began
        with ThreadPoolExecutor(max_workers=_THREADS) as pool:
            futures = []
            for errand in errands:
                pause_until(began + errand.at_s, self._is_over)
                futures.append(pool.submit(self._clients.carry_out, errand))
                if time.monotonic() >= next_told:
                    next_told = time.monotonic() + _TELL_EVERY_S
                    done = sum(future.done() for future in futures)
                    _say(f"{errand.at_s:.0f} s: {done} of {len(errands)} errands, {len(self._faults)} faults")
        for future in futures:
            if (error := future.exception()) is not None:
                self._broken.append(f"an errand broke: {error!r}")

    def _strike(self, began: float) -> None:
        for planned in self._plan.faults():
            if not pause_until(began + planned.at_s, self._is_over):
                return
            try:
                fault = inflict(self._site, planned, self._history)
            except Exception as error:  # noqa: BLE001 - it fails the run, the others go on
                self._broken.append(f"fault {planned.number}, {planned.name}, broke: {error!r}")
                continue
            self._faults.append(fault)
            _say(
                f"{fault.began - began:.0f} s: {planned.name}{'' if fault.has_struck else ' DID NOT STRIKE'}"
            )

    def _await_ends(self) -> None:
        """Return when every job has ended, those too that nobody waits for."""
        wait_until(
            lambda: not any(job.is_active for job in self._site.all_jobs()),
            seconds=DEADLINE_S + 15,
            what="the end of every job",
        )

    def _evidence(self, expected_faults: Sequence[str]) -> Soaked:
        jobs = self._site.all_jobs()
        job_ids = [job.job_id for job in jobs]
        evidence = Evidence(
            exchanges=self._history.exchanges,
            journeys=self._history.journeys,
            jobs=jobs,
            histories={job_id: self._site.deployment.history(job_id) for job_id in job_ids},
            objects=self._site.servers.objects_of(job_ids),
            ceilings=dict.fromkeys(self._plan.few_orgs, FEW.requests),
        )
        return Soaked(
            evidence=evidence,
            errands=self._plan.errands,
            faults=self._faults,
            few_orgs=self._plan.few_orgs,
            differences=self._clients.differences,
            broken=self._broken,
            compared=self._clients.compared,
            heard=found_in(self._site.said(), _CANARIES),
            expected_faults=expected_faults,
            due_faults=int(self.took_s / self._plan.every_s),
        )


def soak(plan: Plan, folder: Path, *, expected_faults: Sequence[str]) -> Result:
    """Start everything, do what the plan says, and judge it."""
    said = StringIO()  # by each program, at the end
    with redirect_stdout(said), Site(folder) as site:
        run = _Soak(site, plan)
        soaked = run.run(expected_faults)
    return Result(plan=plan, soaked=soaked, verdict=judge(soaked), took_s=run.took_s)


def _say(line: str) -> None:
    sys.stderr.write(f"soak: {line}\n")
    sys.stderr.flush()
