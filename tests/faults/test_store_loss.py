"""The bucket or the database gone for a while, with jobs in the middle of it."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.acceptance.deployment import Deployment, Web
from tests.acceptance.figures import Measured
from tests.acceptance.fixtures import QUICK, ClientOf
from tests.acceptance.lawful import assert_lawful, ways
from tests.acceptance.outages import assert_all_end_after_an_outage, assert_silence_costs_a_timeout
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import Proxy
from tests.servers.s3 import S3Bucket, S3Server


@pytest.fixture
def own_s3() -> Iterator[S3Server]:
    """Give an S3 server that the test may stop."""
    with S3Server() as server:
        yield server


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """Give a PostgreSQL server that the test may kill."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def on_own_s3(tmp_path: Path, postgres_url: str, redis_url: str, own_s3: S3Server) -> Iterator[Deployment]:
    """Give a deployment whose bucket is on that server."""
    bucket = S3Bucket(
        endpoint_url=own_s3.endpoint_url,
        access_key=own_s3.access_key,
        secret_key=own_s3.secret_key,
        region=own_s3.region,
        bucket=own_s3.create_bucket(),
    )
    with Deployment.distributed(
        tmp_path, postgres_url=postgres_url, redis_url=redis_url, bucket=bucket, **QUICK, max_failures=12
    ) as deployment:
        deployment.migrate()
        yield deployment


@pytest.fixture
def on_own_postgres(
    tmp_path: Path, own_postgres: PostgresServer, redis_url: str, s3_bucket: S3Bucket
) -> Iterator[Deployment]:
    """Give a deployment whose database is on that server."""
    url = own_postgres.create_database()
    with Deployment.distributed(
        tmp_path, postgres_url=url, redis_url=redis_url, bucket=s3_bucket, **QUICK, database_timeout_s=2
    ) as deployment:
        deployment.migrate()
        yield deployment


def test_a_document_that_could_not_be_stored_is_made_again(
    on_own_s3: Deployment, own_s3: S3Server, client_of: ClientOf, measured: Measured
) -> None:
    """A bucket that is away for a moment costs a retry, not the report (STORAGE_UNAVAILABLE)."""
    worker = on_own_s3.worker()
    client = client_of(on_own_s3.fastapi())
    ready = client.accepted("U1")
    client.complete(ready)
    # Given an attempt that has yet to store its document
    job_id = client.accepted("U-WAIT")
    wait_until(lambda: on_own_s3.has_begun("U-WAIT"), seconds=30, what="the attempt")
    # When the bucket is gone
    own_s3.stop()
    on_own_s3.let_go("U-WAIT")
    wait_until(lambda: "retry" in ways(on_own_s3.history(job_id)), seconds=15, what="a retry")
    # Then the job waits for another try, and a document that is stored is told to be out of reach
    failed = next(event for event in on_own_s3.history(job_id) if event.why == "retry")
    assert failed.error_code == "STORAGE_UNAVAILABLE"
    assert client.status(job_id)["status"] == "IN_PROGRESS"
    refused = client.ask_url(ready)
    assert (refused.status_code, refused.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert "Retry-After" in refused.headers
    # And it completes once the bucket is back
    own_s3.start()
    began = time.monotonic()
    client.complete(job_id)
    measured("from the bucket's return to the end of the job", time.monotonic() - began)
    wait_until(lambda: client.ask_url(ready).status_code == 200, seconds=8, what="a URL")  # a breaker's time
    client.download(job_id)
    client.download(ready)
    assert_lawful(on_own_s3.history(job_id))
    assert worker.is_alive()


@pytest.fixture
def wire(s3_bucket: S3Bucket) -> Iterator[Proxy]:
    """Give the network between a service and its bucket."""
    with Proxy(urlsplit(s3_bucket.endpoint_url).port or 80) as proxy:
        yield proxy


@pytest.fixture
def on_a_wire(tmp_path: Path, s3_bucket: S3Bucket, wire: Proxy) -> Iterator[Deployment]:
    """Give an embedded deployment whose bucket is at the other end of it."""
    bucket = {
        "s3_bucket": s3_bucket.bucket,
        "s3_endpoint_url": f"http://127.0.0.1:{wire.port}",
        "s3_access_key_id": s3_bucket.access_key,
        "s3_secret_access_key": s3_bucket.secret_key,
    }
    with Deployment.embedded(tmp_path, **QUICK, **bucket) as deployment:
        deployment.migrate()
        yield deployment


_SERVERS = {"FastAPI": lambda made: made.fastapi(), "Flask": lambda made: made.flask(workers=1, threads=8)}


@pytest.mark.parametrize("server", _SERVERS)
def test_a_frozen_bucket_holds_up_no_other_request(
    on_a_wire: Deployment, wire: Proxy, client_of: ClientOf, measured: Measured, server: str
) -> None:
    """A web server has few threads: those that wait for the bucket are missing for everything else."""
    web: Web = _SERVERS[server](on_a_wire)
    client = client_of(web)
    client.complete(job_id := client.accepted("U1"))
    client.download(job_id)
    wire.silence()
    took: dict[str, list[float]] = {"host": [], "status": [], "creation": [], "url": []}

    def timed(what: str, answer: httpx.Response, status: int) -> None:
        took[what].append(answer.elapsed.total_seconds())
        assert answer.status_code == status, answer.text

    with ThreadPoolExecutor(40) as crowd, httpx.Client(base_url=web.url, trust_env=False) as host:
        asked = [crowd.submit(client.ask_url, job_id) for _ in range(120)]

        def others_answered() -> bool:
            timed("host", host.get("/host"), 200)
            timed("status", client.look(job_id), 200)
            if len(took["creation"]) < 3:  # each is rendered in this deployment, and takes its share of it
                timed("creation", client.ask(f"U-{len(took['host'])}"), 202)
            return all(each.done() for each in asked) and len(took["host"]) >= 10

        wait_until(others_answered, seconds=30, what="the answers")
    for each in asked:
        timed("url", each.result(), 503)
    refused = client.ask_url(job_id)
    measured(f"for a URL on {server} once the bucket was known to be frozen", refused.elapsed.total_seconds())
    for what, seconds in took.items():
        measured(f"for the slowest request on {server} while the bucket was frozen: {what}", max(seconds))
    assert refused.elapsed.total_seconds() < 0.5
    assert max(took["host"] + took["status"] + took["creation"]) < 1
    wire.heal()
    wait_until(lambda: client.ask_url(job_id).status_code == 200, seconds=8, what="a URL")


@pytest.mark.parametrize(("lease_s", "away_s"), [(40, 2), (4, 4)], ids=["shorter", "longer"])
def test_jobs_that_run_through_an_outage_of_the_database_all_end(
    on_own_postgres: Deployment,
    own_postgres: PostgresServer,
    client_of: ClientOf,
    measured: Measured,
    *,
    lease_s: float,
    away_s: float,
) -> None:
    """Whether it is shorter or longer than a lease: what was committed stands, and all go on (I1, I3)."""
    kill, start = own_postgres.kill_immediately, own_postgres.start
    times = {"lease_s": lease_s, "away_s": away_s}
    assert_all_end_after_an_outage(on_own_postgres, client_of, measured, kill=kill, start=start, **times)


def test_a_frozen_database_costs_each_request_its_timeout_and_no_more(
    on_own_postgres: Deployment, own_postgres: PostgresServer, client_of: ClientOf, measured: Measured
) -> None:
    """A database that takes connections and does not answer must not take the web server with it."""
    assert_silence_costs_a_timeout(on_own_postgres, client_of, measured, own_postgres.frozen, each_s=5)
