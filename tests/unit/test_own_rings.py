"""A worker that rings for itself while its broker fails: its threads bound it, as they always do."""

import threading
from types import SimpleNamespace
from typing import Any

import dramatiq
import pytest

from sqr_jobs.actors import ACTOR, QUEUE, declare_actors
from sqr_jobs.adapters.own_rings import OwnRings
from sqr_jobs.adapters.rabbitmq_broker import working_broker
from sqr_jobs.adapters.worker_lifecycle import WorkerLifecycle
from tests.contracts.sockets import nothing_there
from tests.servers.ports import wait_until


class _Processor:
    """Makes attempts that last until they may end, and remembers how many ran at a time."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.done: list[str | None] = []
        self.running = self.most = 0
        self._lock = threading.Lock()

    def process(self, job_id: str | None) -> bool:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
        assert self.may_end.wait(30)
        with self._lock:
            self.running -= 1
            self.done.append(job_id)
        return True


@pytest.mark.parametrize(("room", "threads", "most"), [(1, 3, 1), (3, 2, 2)])
def test_a_worker_without_a_broker_works_in_its_own_threads(room: int, threads: int, most: int) -> None:
    """An attempt takes memory and a child: an outage must not bring more of them than were planned for."""
    processor = _Processor()
    service: Any = SimpleNamespace(processor=processor)
    lifecycle = WorkerLifecycle(lambda: service, threads=threads)
    lifecycle._service = service
    rings = OwnRings(queue_name=QUEUE, actor_name=ACTOR, room=room)
    with nothing_there() as port:
        broker = working_broker(f"amqp://127.0.0.1:{port}/", threads=room, middleware=[], rings=rings)
        declare_actors(broker, lifecycle.process)
        worker = dramatiq.Worker(broker, worker_threads=3, worker_timeout=20)
        worker.start()
        jobs = [f"job-{number}" for number in range(5)]
        for job_id in jobs:
            rings.ring(job_id)
        wait_until(lambda: rings.waiting() == 5 - room, seconds=10, what="as many rings as there is room for")
        wait_until(lambda: processor.running == most, seconds=10, what="all attempts that may run")
        wait_until(worker.work_queue.empty, seconds=10, what="the taking of all rings")
        wait_until(lambda: rings.is_cut_off, seconds=10, what="the consumer's failure")
        processor.may_end.set()
        wait_until(lambda: len(processor.done) == 5, seconds=10, what="all attempts")
        worker.stop()
    assert sorted(map(str, processor.done)) == jobs
    assert processor.most == most
