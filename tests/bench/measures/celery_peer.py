"""The same report through a hand-made service on Celery: throughput, and from create to complete."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

from tests.bench.bench import DISTRIBUTED, EMBEDDED, Bench
from tests.bench.deployment import Deployment, poll_until
from tests.bench.figures import Row, median, ms, percentile
from tests.bench.http_client import Client

__all__ = ["measure"]

_AT_A_TIME = 2
_IN_FLIGHT = 8


@dataclass(kw_only=True)
class _Service:
    """One of those that are compared, and what was seen of it, a round after the other."""

    deployment: Deployment
    client: Client
    jobs_per_s: list[float] = field(default_factory=list)
    jobs_per_core_s: list[float] = field(default_factory=list)
    low_s: list[list[float]] = field(default_factory=list)
    full_s: list[list[float]] = field(default_factory=list)

    def one_by_one(self, count: int) -> None:
        """Ask for a report when the one before is complete."""
        job_ids = []
        for _ in range(count):
            job_ids.append(self.deployment.create(self.client).job_id)
            self.deployment.await_all(every_s=0.005)
        self.low_s.append([job.seconds for job in self.deployment.times(job_ids)])

    def at_full_load(self, count: int) -> None:
        """Keep eight reports asked for and not complete."""
        job_ids: list[str] = []

        def fill() -> bool:
            room = min(_IN_FLIGHT - self.deployment.unfinished(), count - len(job_ids))
            job_ids.extend(self.deployment.create(self.client).job_id for _ in range(room))
            return len(job_ids) == count

        cpu = self.deployment.cpu_s()
        poll_until(fill, every_s=0.01, what="the last creation")
        self.deployment.await_all(every_s=0.01)
        cpu = self.deployment.cpu_s() - cpu
        times = self.deployment.times(job_ids)
        span_ms = max(job.completed_at for job in times) - min(job.created_at for job in times)
        self.jobs_per_s.append(1000 * count / span_ms)
        self.jobs_per_core_s.append(count / cpu)
        self.full_s.append([job.seconds for job in times])


def measure(bench: Bench) -> list[Row]:
    """Run all side by side, one at work at a time, in turn; each makes two reports at a time."""
    with ExitStack() as stack:
        services = [
            _site(stack, bench, DISTRIBUTED),
            _celery(stack, bench),
            _site(stack, bench, EMBEDDED),
        ]
        for service in services:
            service.at_full_load(bench.effort.warm_up_jobs * _AT_A_TIME)
            service.jobs_per_s.clear()
            service.jobs_per_core_s.clear()
            service.full_s.clear()
        for _ in range(bench.effort.rounds):
            for service in services:
                service.one_by_one(bench.effort.low_jobs)
            for service in services:
                service.at_full_load(bench.effort.load_jobs)
        ours, celery, embedded = services
        return [*_rows(DISTRIBUTED, ours, celery), *_rows(EMBEDDED, embedded, None)]


def _site(stack: ExitStack, bench: Bench, form: str) -> _Service:
    site = stack.enter_context(bench.site(form, worker_threads=_AT_A_TIME))
    url = site.web("fastapi", "tests.bench.host:fastapi_app")
    if form == DISTRIBUTED:
        site.worker(threads=_AT_A_TIME)
    return _service(stack, site, url)


def _celery(stack: ExitStack, bench: Bench) -> _Service:
    by_hand = stack.enter_context(bench.by_hand(DISTRIBUTED, queue="celery"))
    url = by_hand.web("fastapi", "tests.bench.byhand.fastapi_app:create_app")
    by_hand.celery(processes=_AT_A_TIME)
    return _service(stack, by_hand, url)


def _service(stack: ExitStack, deployment: Deployment, url: str) -> _Service:
    client = Client(url)
    stack.callback(client.close)
    return _Service(deployment=deployment, client=client)


def _rows(form: str, ours: _Service, celery: _Service | None) -> Iterator[Row]:
    def row(what: str, mine: float, other: float | None, *, is_time: bool = False) -> Row:
        def shown(value: float) -> str:
            return ms(value) if is_time else f"{value:.1f}"

        return Row(
            what=what,
            form=form,
            measured=shown(mine),
            compared="" if other is None else f"Celery: {shown(other)}",
            ratio=None if other is None else mine / other,
        )

    for what, figure in (
        ("jobs/s at full load", _jobs_per_s),
        ("jobs/s per core that the service keeps busy", _jobs_per_core_s),
    ):
        yield row(what, figure(ours), figure(celery) if celery else None)
    for load, share in (("low", 0.5), ("low", 0.99), ("full", 0.5), ("full", 0.99)):
        mine = _seconds(ours, load, share)
        other = _seconds(celery, load, share) if celery else None
        yield row(f"create → complete at {load} load, p{round(share * 100)}", mine, other, is_time=True)


def _jobs_per_s(service: _Service) -> float:
    return median(service.jobs_per_s)


def _jobs_per_core_s(service: _Service) -> float:
    return median(service.jobs_per_core_s)


def _seconds(service: _Service, load: str, share: float) -> float:
    """Take the median of the rounds' medians; a rare case is looked for among all samples."""
    rounds = service.low_s if load == "low" else service.full_s
    if share == 0.5:
        return median(percentile(samples, share) for samples in rounds)
    return percentile([sample for samples in rounds for sample in samples], share)
