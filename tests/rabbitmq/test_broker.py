"""What a doorbell on RabbitMQ lives through: queues that vanish, a frozen broker, other people's bytes."""

import json
import pickle
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dramatiq
import pika
import pika.exceptions
import pytest

from sqr_jobs.actors import QUEUE, declare_actors
from sqr_jobs.adapters.rabbitmq_broker import working_broker
from sqr_jobs.domain.announcement import Announcement
from sqr_jobs.errors import QueueUnavailable
from tests.acceptance.program import ROOT
from tests.contracts.test_job_queue import Doorbell
from tests.rabbitmq.conftest import QueueAt
from tests.servers.ports import wait_until
from tests.servers.rabbitmq import PERMISSIONS, RabbitmqServer

JOB_ID = "0c7b6a3e-0000-4000-8000-000000000001"


def test_a_broker_that_forgets_everything_is_no_error(doorbell: Doorbell, rabbitmq: RabbitmqServer) -> None:
    """I7: where the queue was is no queue; a ring is a ring all the same, on the connection that there is."""
    queue = doorbell.queue
    queue.ring(JOB_ID)
    queue.announce("host:1", Announcement(database="database-1"))
    rabbitmq.delete_queues()
    queue.ring(JOB_ID)
    assert queue.waiting() == 1
    assert dict(queue.workers()) == {}
    rabbitmq.delete_queues()
    assert queue.waiting() == 0


def test_no_more_queues_are_made_than_the_two(doorbell: Doorbell, rabbitmq: RabbitmqServer) -> None:
    """Dramatiq's own, for delays and dead letters, would cost each worker a connection more."""
    rabbitmq.delete_queues()
    worker = dramatiq.Worker(doorbell.worker_broker, worker_threads=1, worker_timeout=50)
    worker.start()
    try:
        wait_until(
            lambda: _exists(rabbitmq, "sqr_jobs"), seconds=2, what="the worker's queue, before any ring"
        )
        doorbell.queue.announce("host:1", Announcement(database="database-1"))
        doorbell.queue.ring(JOB_ID)
        wait_until(lambda: doorbell.processed, seconds=10, what="the ring")
    finally:
        worker.stop()
    for name in ("sqr_jobs", "sqr_jobs.workers"):
        assert _exists(rabbitmq, name)
    for name in ("sqr_jobs.DQ", "sqr_jobs.XQ"):
        assert not _exists(rabbitmq, name)


def _exists(rabbitmq: RabbitmqServer, name: str) -> bool:
    with rabbitmq.channel() as channel:
        try:
            channel.queue_declare(name, passive=True)
        except pika.exceptions.ChannelClosedByBroker:
            return False
        return True


def test_a_worker_whose_queue_was_deleted_consumes_the_next_one(
    doorbell: Doorbell, rabbitmq: RabbitmqServer
) -> None:
    """Dramatiq restarts the consumer, which makes the queue again."""
    worker = dramatiq.Worker(doorbell.worker_broker, worker_threads=1, worker_timeout=50)
    worker.start()
    try:
        doorbell.queue.ring(JOB_ID)
        wait_until(lambda: doorbell.processed == [JOB_ID], seconds=10, what="the first ring")
        rabbitmq.delete_queues()
        doorbell.queue.ring("second")
        wait_until(lambda: doorbell.processed == [JOB_ID, "second"], seconds=10, what="the second ring")
    finally:
        worker.stop()


def test_many_threads_share_one_connection(doorbell: Doorbell) -> None:
    """A web server has forty threads in each process; RabbitMQ pays for each connection."""
    with ThreadPoolExecutor(20) as threads:
        assert list(threads.map(lambda _: doorbell.queue.waiting(), range(100))) == [0] * 100
    assert Counter(thread.name for thread in threading.enumerate())["sqr-jobs-amqp"] == 1


def test_a_worker_takes_no_more_than_it_has_threads_for(doorbell: Doorbell, rabbitmq: RabbitmqServer) -> None:
    """What one worker has fetched ahead, no other can begin."""
    may_end = threading.Event()
    taken: list[str | None] = []

    def hold(job_id: str | None) -> bool:
        taken.append(job_id)
        return may_end.wait(30)

    broker = working_broker(rabbitmq.url, threads=2, middleware=[])
    declare_actors(broker, hold)
    worker = dramatiq.Worker(broker, worker_threads=2, worker_timeout=50)
    worker.start()
    try:
        for number in range(5):
            doorbell.queue.ring(f"job-{number}")
        wait_until(lambda: len(taken) == 2, seconds=10, what="both threads to be busy")
        assert doorbell.queue.waiting() == 3
    finally:
        may_end.set()
        wait_until(lambda: len(taken) == 5, seconds=10, what="the rest")
        worker.stop()
    assert doorbell.messages() == [], "each was acknowledged: the end of the worker gives none back"


def test_a_message_whose_work_failed_does_not_come_again_when_the_worker_ends(doorbell: Doorbell) -> None:
    """What a worker has not acknowledged goes back to the queue with its connection."""
    doorbell.raises = ValueError("Jo Bloggs")
    worker = dramatiq.Worker(doorbell.worker_broker, worker_threads=1, worker_timeout=50)
    worker.start()
    doorbell.queue.ring(JOB_ID)
    wait_until(lambda: doorbell.processed, seconds=10, what="the attempt")
    worker.stop()
    assert doorbell.messages() == []


def test_a_message_that_was_taken_and_not_begun_is_given_back(
    doorbell: Doorbell, rabbitmq: RabbitmqServer
) -> None:
    """A worker that ends between the two costs the job nothing."""
    consumer = doorbell.worker_broker.consume(QUEUE, timeout=2000)
    doorbell.queue.ring(JOB_ID)
    assert next(consumer) is not None
    assert doorbell.queue.waiting() == 0
    consumer.close()
    assert doorbell.queue.waiting() == 1


def test_an_acknowledgement_comes_too_late_on_another_connection(
    doorbell: Doorbell, rabbitmq: RabbitmqServer, caplog: pytest.LogCaptureFixture
) -> None:
    """After a reconnection the numbers begin anew: one of before must not settle somebody else's message."""
    before = doorbell.worker_broker.consume(QUEUE, timeout=2000)
    doorbell.queue.ring(JOB_ID)
    late = next(before)
    before.close()
    after = doorbell.worker_broker.consume(QUEUE, timeout=2000)
    again = next(after)
    assert (late.tag, again.tag) == (1, 1)
    after.ack(late)
    after.close()
    assert "could not be acknowledged" in caplog.text
    assert doorbell.queue.waiting() == 1


def test_a_frozen_broker_costs_a_moment_and_is_rung_again_when_it_thaws(
    own_rabbitmq: RabbitmqServer, queue_at: QueueAt
) -> None:
    """I16: an open connection on which nothing comes back is the worst of brokers."""
    now = [0.0]
    queue = queue_at(own_rabbitmq.url, now=lambda: now[0])
    assert queue.waiting() == 0
    queue.ring(JOB_ID)
    before = threading.active_count()
    took = []
    with own_rabbitmq.frozen():
        for _ in range(5):
            began = time.monotonic()
            with pytest.raises(QueueUnavailable):
                queue.ring(JOB_ID)
            took.append(time.monotonic() - began)
            now[0] += 6
        began = time.monotonic()
        for ask in (queue.waiting, queue.workers):
            with pytest.raises(QueueUnavailable):
                ask()
        assert time.monotonic() - began < 9
    assert max(took) < 0.3
    assert threading.active_count() == before

    def rings() -> bool:
        now[0] += 6
        try:
            queue.ring("after")
        except QueueUnavailable:
            return False
        return True

    wait_until(rings, seconds=30, what="a ring after the thaw")


def test_a_broker_that_was_killed_is_rung_again_when_it_is_back(
    own_rabbitmq: RabbitmqServer, queue_at: QueueAt
) -> None:
    """Its messages are gone, which the relay heals; the connection must be made anew."""
    now = [0.0]
    queue = queue_at(own_rabbitmq.url, now=lambda: now[0])
    assert queue.waiting() == 0
    queue.ring(JOB_ID)
    own_rabbitmq.kill()
    with pytest.raises(QueueUnavailable):
        queue.ring(JOB_ID)
    own_rabbitmq.start()
    now[0] += 6
    queue.ring(JOB_ID)
    assert queue.waiting() == 1


def test_hostile_messages_change_nothing_and_the_worker_goes_on(
    doorbell: Doorbell, rabbitmq: RabbitmqServer
) -> None:
    """The broker is not trusted: a message can ring, and do nothing else."""
    hostile = [
        b"\x00\xff\xfe garbage \x80",
        b"",
        pickle.dumps(print),
        b"[1, 2, 3]",
        b"null",
        b"[" * 200_000,
        _message(["x" * 10_485_760], actor_name="os.system"),
        _message([JOB_ID], queue_name="elsewhere"),
        _message([JOB_ID], message_id=7),
        _message([JOB_ID], options=None),
        _message([JOB_ID], options={"eta": 99_999_999_999_999}),
        _message(None),
        json.dumps({"queue_name": QUEUE}).encode(),
    ]
    rings = [
        _message(["x" * 1000]),
        _message([{"job": [JOB_ID]}]),
        _message([], kwargs={"job_id": JOB_ID, "shell": True}),
        _message([JOB_ID, JOB_ID, JOB_ID], options={"pipe_target": {}, "max_retries": 100}),
    ]
    worker = dramatiq.Worker(doorbell.worker_broker, worker_threads=1, worker_timeout=50)
    worker.start()
    try:
        with rabbitmq.channel() as channel:
            channel.queue_declare(QUEUE, durable=True)
            for body in (*hostile, *rings):
                channel.basic_publish("", QUEUE, body)
                properties = pika.BasicProperties(headers={"x": "y"}, content_type="application/x-pickle")
                channel.basic_publish("", QUEUE, body, properties)
        doorbell.queue.ring("after")
        wait_until(lambda: "after" in doorbell.processed, seconds=20, what="the ring after all of them")
    finally:
        worker.stop()
    assert doorbell.processed == [None, None, None, None, None, None, JOB_ID, JOB_ID, "after"]
    assert doorbell.messages() == []


def test_the_permissions_that_the_manual_gives_are_those_of_these_tests() -> None:
    """An operator who gives what it says must not meet a refusal later."""
    page = (ROOT / "docs" / "howto" / "rabbitmq.md").read_text(encoding="utf-8")
    assert " ".join(f"'{PERMISSIONS[what]}'" for what in ("configure", "write", "read")) in page


def _message(arguments: Any, **fields: Any) -> bytes:
    message = {
        "queue_name": QUEUE,
        "actor_name": "sqr_jobs_process",
        "args": arguments,
        "kwargs": {},
        "options": {},
        "message_id": "hostile",
        "message_timestamp": 0,
    }
    return json.dumps({**message, **fields}).encode()
