"""Workers that say on RabbitMQ that they live, and are told of by whoever asks."""

import time
from concurrent.futures import ThreadPoolExecutor

from sqr_jobs.domain.announcement import Announcement
from tests.contracts.test_job_queue import Doorbell
from tests.rabbitmq.conftest import QueueAt
from tests.servers.ports import wait_until
from tests.servers.rabbitmq import RabbitmqServer


def test_a_worker_that_fell_silent_is_forgotten(doorbell: Doorbell) -> None:
    """A worker that died is no worker: the broker drops what it said 10 s ago, by its own clock."""
    queue = doorbell.queue
    queue.announce("host:1", Announcement(database="database-1"))
    began = time.monotonic()
    queue.announce("host:2", Announcement(database="database-1"))
    assert dict(queue.workers()) == {
        "host:1": Announcement(database="database-1"),
        "host:2": Announcement(database="database-1"),
    }

    def only_the_second() -> bool:
        queue.announce("host:2", Announcement(database="database-1"))
        return dict(queue.workers()) == {"host:2": Announcement(database="database-1")}

    wait_until(only_the_second, seconds=15, what="the first to be forgotten")
    assert 9 < time.monotonic() - began < 12


def test_everyone_who_asks_for_the_workers_is_told_of_all(
    rabbitmq: RabbitmqServer, queue_at: QueueAt
) -> None:
    """Several pods run `sqr-jobs check` at once, and what one reads is not there for another meanwhile."""
    queues = [queue_at(rabbitmq.url) for _ in range(4)]
    expected = {f"host:{number}": Announcement(database="database-1") for number in range(20)}
    for worker, announced in expected.items():
        queues[0].announce(worker, announced)
    with ThreadPoolExecutor(len(queues)) as threads:
        answers = list(threads.map(lambda queue: dict(queue.workers()), queues))
    assert answers == [expected] * 4


def test_an_announcement_of_somebody_else_hides_no_worker(
    rabbitmq: RabbitmqServer, queue_at: QueueAt
) -> None:
    """Whoever may write there can't keep `sqr-jobs check` from its answer."""
    queue = queue_at(rabbitmq.url)
    queue.announce("host:1", Announcement(database="database-1"))
    with rabbitmq.channel() as channel:
        for body in (b"", b"\xff", b"[]", b"null", b'"text"', b"{}", b"[" * 100_000, b'{"worker": 1}'):
            channel.basic_publish("", "sqr_jobs.workers", body)
    queue.announce("host:2", Announcement(database="database-2"))
    assert dict(queue.workers()) == {
        "host:1": Announcement(database="database-1"),
        "host:2": Announcement(database="database-2"),
    }
