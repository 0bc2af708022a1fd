"""What every job queue promises: a ring that says "there is work", quickly or not at all.

Declared: of the two brokers only Redis can be out of reach (`test_ringing_in_time.py`), and have workers that
fall silent: the one in memory lives and dies with its worker.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import dramatiq
import pytest
from redis import Redis

from sqr_jobs.actors import ACTOR, QUEUE, declare_actors
from sqr_jobs.adapters.dramatiq_queue import DramatiqQueue
from sqr_jobs.adapters.embedded_worker import InProcessBroker
from sqr_jobs.adapters.redis_broker import ringing_broker, working_broker
from sqr_jobs.domain.announcement import Announcement
from sqr_jobs.errors import DatabaseUnavailable
from tests.contracts.queues import JOB_ID, queue_on
from tests.servers.ports import wait_until

pytestmark = pytest.mark.usefixtures("patient_redis")


@dataclass(kw_only=True)
class Doorbell:
    """A queue, a broker for a worker on it, and the messages as they lie there."""

    queue: DramatiqQueue
    worker_broker: dramatiq.Broker
    messages: Callable[[], list[bytes]]
    processed: list[str | None] = field(default_factory=list)
    raises: BaseException | None = None

    def process(self, job_id: str | None) -> bool:
        """Note what a worker was told, and fail if the test says so."""
        self.processed.append(job_id)
        if self.raises is not None:
            raise self.raises
        return True


@pytest.fixture(params=["memory", "Redis"])
def doorbell(request: pytest.FixtureRequest) -> Iterator[Doorbell]:
    """Give a queue on each broker, with nothing in it."""
    if request.param == "memory":
        broker = InProcessBroker()
        bell = Doorbell(
            queue=queue_on(broker), worker_broker=broker, messages=lambda: list(broker.queues[QUEUE].queue)
        )
        declare_actors(broker, bell.process)
        yield bell
        broker.close()
        return
    url = request.getfixturevalue("redis_url")
    ringing, working = ringing_broker(url), working_broker(url, threads=1, middleware=[])
    with Redis.from_url(url) as client:
        bell = Doorbell(
            queue=queue_on(ringing),
            worker_broker=working,
            messages=lambda: list(client.hgetall(f"sqr_jobs:unshared:{QUEUE}.msgs").values()),
        )
        declare_actors(working, bell.process)
        yield bell
    for broker in (ringing, working):
        broker.client.close()


def test_a_ring_is_one_message_that_waits(doorbell: Doorbell) -> None:
    """The relay rings for due jobs minus what waits here: a wrong count is a flood or a silence."""
    assert doorbell.queue.waiting() == 0
    doorbell.queue.ring(JOB_ID)
    assert doorbell.queue.waiting() == 1
    doorbell.queue.ring(JOB_ID)
    assert doorbell.queue.waiting() == 2


def test_a_message_holds_the_jobs_id_and_nothing_else(doorbell: Doorbell) -> None:
    """I15: no user, no org, no host and no secret lies in a broker; JSON, which can't carry code."""
    doorbell.queue.ring(JOB_ID)
    (data,) = doorbell.messages()
    message = json.loads(data)
    assert (message["args"], message["kwargs"]) == ([JOB_ID], {})
    assert (message["queue_name"], message["actor_name"]) == (QUEUE, ACTOR)
    assert set(message) <= {
        "queue_name", "actor_name", "args", "kwargs", "options", "message_id", "message_timestamp",
    }  # fmt: skip
    assert set(message["options"]) <= {"redis_message_id"}


def test_a_worker_is_told_of_each_ring(doorbell: Doorbell) -> None:
    """The message arrives as the actor expects it, whichever broker carries it."""
    worker = dramatiq.Worker(doorbell.worker_broker, worker_threads=1, worker_timeout=50)
    worker.start()
    try:
        doorbell.queue.ring(JOB_ID)
        doorbell.queue.ring("second")
        wait_until(lambda: len(doorbell.processed) == 2, seconds=10, what="both rings")
        wait_until(lambda: doorbell.queue.waiting() == 0, seconds=10, what="an empty queue")
    finally:
        worker.stop()
    assert doorbell.processed == [JOB_ID, "second"]


@pytest.mark.parametrize("error", [ValueError("Jo Bloggs"), DatabaseUnavailable("gone")], ids=repr)
def test_a_message_whose_work_fails_is_gone_all_the_same(doorbell: Doorbell, error: Exception) -> None:
    """What becomes of a job is remembered in the database: Dramatiq must retry nothing."""
    doorbell.raises = error
    worker = dramatiq.Worker(doorbell.worker_broker, worker_threads=1, worker_timeout=50)
    worker.start()
    try:
        doorbell.queue.ring(JOB_ID)
        wait_until(lambda: doorbell.processed, seconds=10, what="the attempt")
        wait_until(lambda: doorbell.messages() == [], seconds=10, what="the acknowledgement")
    finally:
        worker.stop()
    assert doorbell.processed == [JOB_ID]


def test_workers_that_announce_themselves_are_told_with_their_database(doorbell: Doorbell) -> None:
    """`sqr-jobs check` finds a worker that looks at another database than the web process."""
    assert doorbell.queue.workers() == {}
    doorbell.queue.announce("host:1", Announcement(database="database-1"))
    doorbell.queue.announce("host:1", Announcement(database="database-1"))
    assert dict(doorbell.queue.workers()) == {"host:1": Announcement(database="database-1")}
    doorbell.queue.withdraw("host:1")
    assert dict(doorbell.queue.workers()) == {}
    doorbell.queue.withdraw("host:1")


def test_a_worker_that_fell_silent_is_forgotten(redis_url: str) -> None:
    """A worker that died is no worker: the server lets its announcement lapse after 10 s."""
    broker = ringing_broker(redis_url)
    queue = queue_on(broker)
    queue.announce("host:1", Announcement(database="database-1"))
    queue.announce("host:2", Announcement(database="database-1"))
    with Redis.from_url(redis_url) as client:
        (of_first,) = [key for key in client.keys("*") if key.endswith(b"host:1")]
        assert 0 < client.ttl(of_first) <= 10
        client.expire(of_first, 0)
    assert dict(queue.workers()) == {"host:2": Announcement(database="database-1")}
    broker.client.close()


def test_a_worker_long_gone_leaves_the_list(redis_url: str) -> None:
    """Each start of a worker has a new name; the list must not grow with them."""
    broker = ringing_broker(redis_url)
    queue = queue_on(broker)
    queue.announce("host:1", Announcement(database="database-1"))
    with Redis.from_url(redis_url) as client:
        client.zadd("sqr_jobs:announced", {"host:1": time.time() - 3_601})
        queue.announce("host:2", Announcement(database="database-1"))
        assert client.zrange("sqr_jobs:announced", 0, -1) == [b"host:2"]
    broker.client.close()


def test_a_broker_that_forgets_everything_is_no_error(redis_url: str) -> None:
    """I7: after FLUSHALL a ring is a ring."""
    broker = ringing_broker(redis_url)
    queue = queue_on(broker)
    queue.ring(JOB_ID)
    with Redis.from_url(redis_url) as client:
        client.flushall()
        client.script_flush()
    assert queue.waiting() == 0
    queue.ring(JOB_ID)
    assert queue.waiting() == 1
    broker.client.close()
