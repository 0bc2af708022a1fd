"""What a second worker process adds, held against what the processors have left for it."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from tests.bench.bare_process import BareProcess
from tests.bench.bench import EMBEDDED, FORMS, Bench
from tests.bench.cpu import busy_cpu_s, cores
from tests.bench.figures import Row, at_least, median
from tests.bench.http_client import Client
from tests.bench.site import Site

__all__ = ["measure"]

_TWO = 2


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """What a batch of jobs showed."""

    jobs_per_s: float
    cpu_s_per_job: float
    """Of the worker processes and their children; embedded, of the web processes that they live in."""
    cores_left: float
    """Processors less the work of everything else: servers, the asking side, strangers."""


def measure(bench: Bench) -> list[Row]:
    """Give the same jobs to one process and to two, each with one thread, in turn."""
    return [_bare(bench), *(_measure(bench, form) for form in FORMS)]


def _measure(bench: Bench, form: str) -> Row:
    with ExitStack() as stack:
        one, two = (_workers(stack, bench, form, count) for count in (1, _TWO))
        for batch in (one, two):
            batch.run(bench.effort.warm_up_jobs * _TWO)
        rounds = [
            (one.run(bench.effort.load_jobs), two.run(bench.effort.load_jobs))
            for _ in range(bench.effort.rounds)
        ]
    allowed = [
        # No more than twice one's, and no more than the processors have time for.
        min(_TWO * single.jobs_per_s, double.cores_left / single.cpu_s_per_job)
        for single, double in rounds
    ]
    return Row(
        what="two worker processes, of what the cores left by the servers allow",
        form=form,
        measured=f"{median(double.jobs_per_s for _, double in rounds):.1f} jobs/s",
        compared=f"one: {median(single.jobs_per_s for single, _ in rounds):.1f} jobs/s; "
        f"allowed: {median(allowed):.1f}",
        ratio=median(double.jobs_per_s / most for (_, double), most in zip(rounds, allowed, strict=True)),
        aim=at_least(0.85),
    )


class _Workers:
    """A deployment with so many worker processes."""

    def __init__(self, site: Site, create: Callable[[int], list[str]]) -> None:
        self._site, self._create = site, create

    def run(self, count: int) -> _Batch:
        """Have so many jobs made."""
        cpu, busy, began = self._site.cpu_s(), busy_cpu_s(), time.perf_counter()
        job_ids = self._create(count)
        self._site.await_all()
        elapsed = time.perf_counter() - began
        cpu, busy = self._site.cpu_s() - cpu, busy_cpu_s() - busy
        times = self._site.times(job_ids)
        span_ms = max(job.completed_at for job in times) - min(job.created_at for job in times)
        return _Batch(
            jobs_per_s=1000 * count / span_ms,
            cpu_s_per_job=cpu / count,
            cores_left=cores() - max(busy - cpu, 0) / elapsed,
        )


def _workers(stack: ExitStack, bench: Bench, form: str, count: int) -> _Workers:
    site = stack.enter_context(bench.site(form, worker_threads=1))
    if form != EMBEDDED:
        site.worker(processes=count)
        return _Workers(site, site.store_jobs)
    # A job is rung for in the process that was asked for it, so each is asked for its share.
    clients = [Client(site.web("fastapi", "tests.bench.host:fastapi_app")) for _ in range(count)]
    for client in clients:
        stack.callback(client.close)
    return _Workers(
        site, lambda number: [site.create(clients[index % count]).job_id for index in range(number)]
    )


def _bare(bench: Bench) -> Row:
    """Give the bare parts to one process and to two, which is what the processors themselves allow."""
    with ExitStack() as stack:
        folder = bench.folder / "bare"
        processes = [
            stack.enter_context(BareProcess({"folder": str(folder / str(number))})) for number in range(_TWO)
        ]
        count = bench.effort.jobs
        for process in processes:
            process.make(bench.effort.warm_up_jobs)
        rounds = []
        for _ in range(bench.effort.rounds):
            single = processes[0].make(count).wall_s
            for process in processes:
                process.order(count)
            together = [process.answer().wall_s for process in processes]
            rounds.append((count / single, sum(count / wall_s for wall_s in together)))
    return Row(
        what="two processes of ReportLab + pikepdf + folder, against twice one",
        form="bare parts",
        measured=f"{median(double for _, double in rounds):.1f} documents/s",
        compared=f"one: {median(single for single, _ in rounds):.1f} documents/s",
        ratio=median(double / (_TWO * single) for single, double in rounds),
    )
