"""Redis emptied, killed, frozen: the broker is a doorbell, and losing it loses nothing."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from redis import Redis

from tests.acceptance.deployment import Deployment
from tests.acceptance.figures import Measured
from tests.acceptance.fixtures import QUICK, ClientOf
from tests.acceptance.lawful import assert_lawful
from tests.acceptance.outages import (
    assert_a_dead_broker_costs_nothing,
    assert_a_silent_broker_costs_nothing,
)
from tests.servers.ports import wait_until
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Bucket


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """Give a Redis server that the test may kill."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def deployment(
    tmp_path: Path, postgres_url: str, own_redis: RedisServer, s3_bucket: S3Bucket
) -> Iterator[Deployment]:
    """Give a deployment on that server."""
    with Deployment.distributed(
        tmp_path, postgres_url=postgres_url, redis_url=own_redis.url, bucket=s3_bucket, **QUICK
    ) as made:
        made.migrate()
        yield made


def test_twenty_jobs_whose_messages_were_flushed_all_complete(
    distributed: Deployment, client_of: ClientOf, redis_url: str, measured: Measured
) -> None:
    """Someone empties the Redis that was shared with a cache; the rows are still there (I7)."""
    # Given twenty jobs that wait
    client = client_of(distributed.fastapi())
    jobs = [client.accepted(f"U{number}") for number in range(20)]
    distributed.run("maintain", "--once")  # rings for those for which the web process found Redis slow
    with Redis.from_url(redis_url) as redis:
        assert redis.llen(distributed.queue_key) >= 20
        # When everything is flushed, before the workers start and again while they work
        redis.flushall()
        distributed.worker()
        wait_until(
            lambda: client.status(jobs[0])["status"] == "COMPLETE", seconds=30, what="the first to complete"
        )
        began = time.monotonic()
        redis.flushall()
    # Then all complete
    for job_id in jobs:
        client.complete(job_id)
        assert_lawful(distributed.history(job_id))
    measured("from the second flush to the end of all jobs", time.monotonic() - began)
    # And what comes later is served as before
    client.complete(client.accepted("U-LATER"))


def test_requests_are_accepted_at_once_while_redis_is_dead(
    deployment: Deployment, client_of: ClientOf, own_redis: RedisServer, measured: Measured
) -> None:
    """The broker's death is the workers' trouble, never the client's (I16, I7)."""
    start = partial(own_redis.restart, empty=True)
    assert_a_dead_broker_costs_nothing(deployment, client_of, measured, kill=own_redis.kill, start=start)


def test_requests_are_accepted_at_once_while_redis_does_not_answer(
    deployment: Deployment, client_of: ClientOf, own_redis: RedisServer, measured: Measured
) -> None:
    """A broker that takes connections and says nothing is worse than a dead one (I16)."""
    assert_a_silent_broker_costs_nothing(deployment, client_of, measured, own_redis.frozen)


def test_a_worker_that_starts_without_redis_works_once_it_is_there(
    deployment: Deployment, client_of: ClientOf, own_redis: RedisServer, measured: Measured
) -> None:
    """After a power cut everything starts at once, in any order."""
    own_redis.kill()
    worker = deployment.worker()
    client = client_of(deployment.fastapi())
    job_id = client.accepted("U1")
    wait_until(lambda: "ready for action" in worker.said(), seconds=30, what="the worker")
    own_redis.start()
    began = time.monotonic()
    client.complete(job_id)
    measured("from the start of Redis to the end of the job", time.monotonic() - began)


def test_jobs_complete_while_redis_refuses_every_write(
    deployment: Deployment, client_of: ClientOf, own_redis: RedisServer
) -> None:
    """Database and workers are well (I6): a full broker with `noeviction` must not fail what was accepted."""
    deployment.configure(worker_threads=1)
    client = client_of(deployment.fastapi())
    with Redis.from_url(own_redis.url) as redis:
        # Given a job whose message waits, and a Redis that has become full
        before = client.accepted("U-BEFORE")
        redis.config_set("maxmemory-policy", "noeviction")
        redis.config_set("maxmemory", 1)
        # When a worker starts, and more jobs are accepted
        worker = deployment.worker()
        jobs = [before, *(client.accepted(f"U{number}") for number in range(4))]
        # Then all complete, each in its first attempt
        for job_id in jobs:
            assert client.complete(job_id)["attempts"] == 1
            assert_lawful(deployment.history(job_id))
        # And the log tells of the outage once
        said = worker.said()
        assert said.count("fetching messages failed") == 1
        assert said.count("this worker claims due jobs without it") == 1
        assert not any(word in said for word in ("CRITICAL", "Traceback", "Restarting consumer"))
        # And when Redis takes messages again, they are fetched again
        redis.config_set("maxmemory", 0)
        wait_until(
            lambda: "messages are fetched again" in worker.said(), seconds=15, what="the end of the outage"
        )
        client.complete(client.accepted("U-AFTER"))
        assert worker.said().count("fetching messages failed") == 1


def test_an_org_gets_no_eleventh_job_when_redis_forgets_the_ten(
    distributed: Deployment, client_of: ClientOf, redis_url: str
) -> None:
    """The limit in Redis is quick, the ceiling in SQL is the promise (I12)."""
    distributed.configure(rate_limit=10)
    client = client_of(distributed.fastapi())
    for number in range(10):
        client.accepted(f"U{number}")
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
    refused = client.ask("U-ELEVENTH")
    assert (refused.status_code, refused.json()["code"]) == (429, "RATE_LIMITED")
    assert 590 <= int(refused.headers["Retry-After"]) <= 600
