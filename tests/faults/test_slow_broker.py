"""A network between us and Redis that crawls, swallows, and forgets: no request waits for it (I16)."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.acceptance.deployment import Deployment
from tests.acceptance.figures import Measured
from tests.acceptance.fixtures import QUICK, ClientOf
from tests.acceptance.lawful import assert_lawful
from tests.servers.ports import wait_until
from tests.servers.proxy import Proxy
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Bucket

_BOUND_S = 0.5
_REQUESTS = 150


@pytest.fixture
def wire(redis_url: str) -> Iterator[Proxy]:
    """Give what lies between the programs and Redis."""
    with Proxy(urlsplit(redis_url).port or 6379) as proxy:
        yield proxy


@pytest.fixture
def deployment(tmp_path: Path, postgres_url: str, wire: Proxy, s3_bucket: S3Bucket) -> Iterator[Deployment]:
    """Give a deployment whose Redis is at the other end of it."""
    url = f"redis://127.0.0.1:{wire.port}/0"
    with Deployment.distributed(
        tmp_path, postgres_url=postgres_url, redis_url=url, bucket=s3_bucket, **QUICK
    ) as made:
        made.migrate()
        yield made


_DELAYS_S = {"slow": 0.04, "almost too slow": 0.09, "too slow for a request": 0.15}


@pytest.mark.parametrize("fault", [*_DELAYS_S, "black hole", "lost replies"])
def test_no_fault_of_the_wire_to_redis_holds_up_a_request(
    deployment: Deployment, client_of: ClientOf, wire: Proxy, measured: Measured, fault: str
) -> None:
    """POST within 500 ms at p99 during any fault of the broker, and each of the jobs completes after it.

    Where the broker answers at all, jobs complete meanwhile too: the relay waits where no request may.
    """
    # Given a service that has been at work
    deployment.worker()
    client = client_of(deployment.fastapi())
    client.complete(client.accepted("U-BEFORE"))
    # When the wire fails, and requests go on
    took: list[float] = []
    jobs: list[str] = []

    def asked() -> bool:
        if fault == "lost replies":
            wire.drop_reply()
        sent = time.monotonic()
        jobs.append(client.accepted(f"U-{len(jobs)}"))
        took.append(time.monotonic() - sent)
        return len(jobs) >= _REQUESTS

    if fault == "black hole":
        wire.silence()
    elif fault != "lost replies":
        wire.delay_s = _DELAYS_S[fault]
    wait_until(asked, seconds=90, what="the requests")
    # Then none has waited for it
    p99 = sorted(took)[round(_REQUESTS * 0.99) - 1]
    measured(f"p99 of POST, fault of the wire to Redis: {fault}", p99)
    assert p99 <= _BOUND_S
    # And jobs complete, however slowly
    if fault in _DELAYS_S:
        client.complete(jobs[0])
    # And after it, every job completes, and requests are counted where they all are again
    wire.heal()
    for job_id in jobs:
        client.complete(job_id)
        assert_lawful(deployment.history(job_id))
    assert Counter(deployment.job(job_id).state for job_id in jobs) == {"COMPLETE": _REQUESTS}


@pytest.mark.parametrize("fault", ["black hole", "flapping"])
def test_no_org_gets_more_than_its_limit_whatever_the_wire_does(
    deployment: Deployment, client_of: ClientOf, wire: Proxy, redis_server: RedisServer, fault: str
) -> None:
    """Ten accepted in any window: counted in Redis, in memory, or only in the database (I12)."""
    deployment.configure(rate_limit=10)
    webs = [deployment.fastapi(), deployment.flask(workers=2)]
    clients = [client_of(web) for web in webs]
    if fault == "black hole":
        wire.silence()
    statuses: list[int] = []

    def asked() -> bool:
        number = len(statuses)
        if fault == "flapping" and number % 5 == 0:
            wire.cut()
            redis_server.flush()
        statuses.append(clients[number % 2].ask(f"U-{number}").status_code)
        return number >= 40

    wait_until(asked, seconds=60, what="the requests")
    assert Counter(statuses) == {202: 10, 429: 31}
