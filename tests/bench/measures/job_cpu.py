"""What a job costs in CPU, against the bare parts that any service would pay for."""

from typing import Any

from tests.bench.bare_process import BareProcess
from tests.bench.bench import EMBEDDED, FORMS, Bench
from tests.bench.figures import MeasurementBroken, Row, at_most, median, ms
from tests.bench.site import Site

__all__ = ["measure"]

_SAME_SIZE = 0.1


def measure(bench: Bench) -> list[Row]:
    """Count CPU of worker and render child, from rung to COMPLETE, in rounds with the bare parts between."""
    return [_measure(bench, form) for form in FORMS]


def _measure(bench: Bench, form: str) -> Row:
    effort = bench.effort
    ours, bare = [], []
    with bench.site(form, worker_threads=1) as site, BareProcess(_store(site, form)) as parts:
        if form == EMBEDDED:
            site.web("fastapi", "tests.bench.host:fastapi_app")
        else:
            site.worker()
        _make(site, effort.warm_up_jobs)
        size = parts.make(effort.warm_up_jobs).size
        _refuse_another_report(site, size)
        for _ in range(effort.rounds):
            ours.append(_make(site, effort.jobs))
            bare.append(parts.make(effort.jobs).cpu_s / effort.jobs)
    return Row(
        what="CPU per job, against ReportLab + pikepdf + PUT",
        form=form,
        measured=ms(median(ours)),
        compared=ms(median(bare)),
        ratio=median(mine / other for mine, other in zip(ours, bare, strict=True)),
        aim=at_most(1.2),
    )


def _make(site: Site, count: int) -> float:
    """Have so many jobs made, and return the CPU seconds of each."""
    before = site.cpu_s()
    site.store_jobs(count)
    site.await_all()
    return (site.cpu_s() - before) / count


def _store(site: Site, form: str) -> dict[str, Any]:
    if form == EMBEDDED:
        return {"folder": str(site.folder / "bare")}
    return {"bucket": site.backends.bucket.bucket, "s3": site.backends.s3}


def _refuse_another_report(site: Site, size: int) -> None:
    """Both must have made the same report: the same letters and pages come to nearly the same size."""
    mine = site.document_size()
    if abs(mine / size - 1) > _SAME_SIZE:
        raise MeasurementBroken(f"the reports differ: {mine} bytes through the library, {size} by hand")
