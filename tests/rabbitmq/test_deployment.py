"""Reports asked for, made and downloaded with RabbitMQ as the broker, which is emptied, frozen, killed."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.deployment import Deployment
from tests.acceptance.figures import Measured
from tests.acceptance.fixtures import QUICK, ClientOf
from tests.acceptance.lawful import assert_lawful
from tests.acceptance.outages import (
    assert_a_dead_broker_costs_nothing,
    assert_a_silent_broker_costs_nothing,
)
from tests.rabbitmq.conftest import QueueAt
from tests.servers.ports import wait_until
from tests.servers.rabbitmq import RabbitmqServer
from tests.servers.s3 import S3Bucket


@pytest.fixture
def deployment(
    tmp_path: Path, postgres_url: str, rabbitmq: RabbitmqServer, s3_bucket: S3Bucket
) -> Iterator[Deployment]:
    """Give a migrated deployment on the session's RabbitMQ, in which nothing runs yet."""
    yield from _deployment(tmp_path, postgres_url, rabbitmq, s3_bucket)


@pytest.fixture
def own_deployment(
    tmp_path: Path, postgres_url: str, own_rabbitmq: RabbitmqServer, s3_bucket: S3Bucket
) -> Iterator[Deployment]:
    """Give one on a RabbitMQ that the test may kill."""
    yield from _deployment(tmp_path, postgres_url, own_rabbitmq, s3_bucket)


def _deployment(
    folder: Path, postgres_url: str, rabbitmq: RabbitmqServer, bucket: S3Bucket
) -> Iterator[Deployment]:
    with Deployment.distributed(
        folder, postgres_url=postgres_url, redis_url=rabbitmq.url, bucket=bucket, **QUICK
    ) as made:
        made.migrate()
        yield made


def test_a_report_is_asked_for_made_and_downloaded(deployment: Deployment, client_of: ClientOf) -> None:
    """The whole way, through both frameworks, by two worker processes."""
    deployment.worker(processes=2)
    for web in (deployment.fastapi(), deployment.flask()):
        client = client_of(web)
        jobs = [client.accepted(f"U-{web.program.name}-{number}"[:16]) for number in range(5)]
        for job_id in jobs:
            client.complete(job_id)
            assert_lawful(deployment.history(job_id))
        assert client.download(jobs[0]).content.startswith(b"%PDF")


def test_the_check_names_broker_and_workers(
    deployment: Deployment, rabbitmq: RabbitmqServer, queue_at: QueueAt
) -> None:
    """What an operator runs after a deployment says of RabbitMQ what it says of Redis."""
    deployment.worker()
    wait_until(queue_at(rabbitmq.url).workers, seconds=30, what="the worker's announcement")
    lines = {line.split()[1]: line for line in deployment.run("check").splitlines()}
    assert "answers; 0 messages wait" in lines["broker"]
    assert "1 consuming, on this database" in lines["workers"]
    assert "each process counts for itself" in lines["limiter"]


def test_twenty_jobs_whose_messages_were_purged_all_complete(
    deployment: Deployment, client_of: ClientOf, rabbitmq: RabbitmqServer, measured: Measured
) -> None:
    """Somebody purges the queue, and later deletes it; the rows are still there (I7)."""
    # Given twenty jobs that wait
    client = client_of(deployment.fastapi())
    jobs = [client.accepted(f"U{number}") for number in range(20)]
    with rabbitmq.channel() as channel:
        assert channel.queue_declare("sqr_jobs", durable=True).method.message_count == 20
        # When the queue is purged before the workers start, and deleted while they work
        channel.queue_purge("sqr_jobs")
    deployment.worker()
    wait_until(
        lambda: client.status(jobs[0])["status"] == "COMPLETE", seconds=30, what="the first to complete"
    )
    began = time.monotonic()
    rabbitmq.delete_queues()
    # Then all complete
    for job_id in jobs:
        client.complete(job_id)
        assert_lawful(deployment.history(job_id))
    measured("from the deletion of the queue to the end of all jobs", time.monotonic() - began)
    # And what comes later is served as before
    client.complete(client.accepted("U-LATER"))


def test_requests_are_accepted_at_once_while_rabbitmq_is_dead(
    own_deployment: Deployment, client_of: ClientOf, own_rabbitmq: RabbitmqServer, measured: Measured
) -> None:
    """The broker's death is the workers' trouble, never the client's (I16, I7)."""
    kill, start = own_rabbitmq.kill, own_rabbitmq.start
    assert_a_dead_broker_costs_nothing(own_deployment, client_of, measured, kill=kill, start=start)


def test_requests_are_accepted_at_once_while_rabbitmq_does_not_answer(
    own_deployment: Deployment, client_of: ClientOf, own_rabbitmq: RabbitmqServer, measured: Measured
) -> None:
    """A broker that takes connections and says nothing is worse than a dead one (I16)."""
    assert_a_silent_broker_costs_nothing(own_deployment, client_of, measured, own_rabbitmq.frozen)


def test_a_worker_that_starts_without_rabbitmq_works_once_it_is_there(
    own_deployment: Deployment, client_of: ClientOf, own_rabbitmq: RabbitmqServer
) -> None:
    """After a power cut everything starts at once, in any order."""
    own_rabbitmq.kill()
    worker = own_deployment.worker()
    client = client_of(own_deployment.fastapi())
    job_id = client.accepted("U1")
    wait_until(lambda: "fetching messages failed" in worker.said(), seconds=30, what="the worker's complaint")
    own_rabbitmq.start()
    client.complete(job_id)


def test_a_worker_ends_in_order_while_rabbitmq_does_not_answer(
    own_deployment: Deployment, client_of: ClientOf, own_rabbitmq: RabbitmqServer, measured: Measured
) -> None:
    """No attempt runs, so there is nothing to wait for; a supervisor waits 15 s more than the grace."""
    worker = own_deployment.worker()
    client = client_of(own_deployment.fastapi())
    client.complete(client.accepted("U1"))
    with own_rabbitmq.frozen():
        began = time.monotonic()
        assert worker.stop() == 0
        took = time.monotonic() - began
    measured("from SIGTERM to a worker's end while RabbitMQ was frozen", took)
    assert took < 8
