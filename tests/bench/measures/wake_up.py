"""How soon a waiting worker runs what was sent to it, and what it costs to wait."""

import random
import time
from collections import defaultdict

from tests.acceptance.program import script
from tests.bench.bench import DISTRIBUTED, FORMS, Bench
from tests.bench.cpu import tree_cpu_s
from tests.bench.deployment import Deployment
from tests.bench.figures import MeasurementBroken, Row, at_most, median, ms, percentile
from tests.bench.http_client import Client
from tests.bench.site import Site

__all__ = ["measure"]

_P50_MS, _P99_MS, _IDLE_PERCENT = 5, 20, 1
_MIXED_S = 0.05


def measure(bench: Bench) -> list[Row]:
    """Send one message at a time to a worker that waits, at no fixed moment of its waiting."""
    return [row for form in FORMS for row in _measure(bench, form)]


def _measure(bench: Bench, form: str) -> list[Row]:
    with bench.site(form) as site:
        url = site.web("fastapi", "tests.bench.observed:fastapi_app")
        worker = site.programs[-1]
        if form == DISTRIBUTED:
            options = ["--processes=1", "--threads=2"]
            worker = site.start("dramatiq", [script("dramatiq"), "tests.bench.observed:broker", *options])
        client = Client(url)
        for _ in range(bench.effort.warm_up_jobs):
            _one(site, client)
        job_ids = [_one(site, client) for _ in range(bench.effort.wake_ups)]
        client.close()
        time.sleep(_MIXED_S)
        shares = [_idle_share(worker.pid, bench.effort.idle_s) for _ in range(bench.effort.rounds)]
        return [
            *_rows("message sent → actor runs", form, _running_after_s(site, job_ids)),
            *_rows("row created → row RUNNING", form, site.claimed_after_s(job_ids)),
            Row(
                what="CPU of an idle worker, of one core",
                form=form,
                measured=f"{median(shares):.2f} %",
                aim=at_most(_IDLE_PERCENT, " %"),
                judged=median(shares),
            ),
        ]


def _one(site: Deployment, client: Client) -> str:
    job_id = site.create(client).job_id
    site.await_all(every_s=0.005)
    time.sleep(random.uniform(0, _MIXED_S))
    return job_id


def _running_after_s(site: Site, job_ids: list[str]) -> list[float]:
    """Read how long after its message was sent each job's actor ran."""
    moments: dict[str, dict[str, int]] = defaultdict(dict)
    for line in (site.folder / "events").read_text(encoding="ascii").splitlines():
        what, job_id, nanoseconds = line.split()
        moments[job_id].setdefault(what, int(nanoseconds))  # a relay may have rung once more
    try:
        return [(moments[job_id]["running"] - moments[job_id]["sent"]) / 1e9 for job_id in job_ids]
    except KeyError as missing:
        raise MeasurementBroken(f"a job was never {missing}") from None


def _idle_share(pid: int, seconds: float) -> float:
    """Measure the CPU of a process tree, in percent of one core."""
    before, began = tree_cpu_s([pid]), time.perf_counter()
    time.sleep(seconds)
    return 100 * (tree_cpu_s([pid]) - before) / (time.perf_counter() - began)


def _rows(what: str, form: str, samples: list[float]) -> list[Row]:
    return [
        Row(
            what=f"wake-up: {what}, p{round(share * 100)}",
            form=form,
            measured=ms(percentile(samples, share)),
            aim=at_most(limit, " ms"),
            judged=percentile(samples, share) * 1000,
        )
        for share, limit in ((0.5, _P50_MS), (0.99, _P99_MS))
    ]
