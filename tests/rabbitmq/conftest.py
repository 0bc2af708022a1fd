"""Fixtures for the tests on a real RabbitMQ: the server, its virtual host, and a doorbell on it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from sqr_jobs.actors import ACTOR, QUEUE, declare_actors
from sqr_jobs.adapters.dramatiq_queue import DramatiqQueue
from sqr_jobs.adapters.rabbitmq_broker import ringing_broker, working_broker
from tests.acceptance.figures import measured, pytest_terminal_summary
from tests.acceptance.fixtures import client_of
from tests.contracts.test_job_queue import Doorbell
from tests.servers.rabbitmq import RabbitmqServer

__all__ = ["client_of", "measured", "pytest_terminal_summary"]

QueueAt = Callable[..., DramatiqQueue]


@pytest.fixture(scope="session")
def _rabbitmq_server() -> Iterator[RabbitmqServer]:
    with RabbitmqServer.from_environment() as server:
        yield server


@pytest.fixture
def rabbitmq(_rabbitmq_server: RabbitmqServer) -> RabbitmqServer:
    """Give the session's RabbitMQ, emptied. That there is none is an error of each test, never a skip."""
    _rabbitmq_server.delete_queues()
    return _rabbitmq_server


@pytest.fixture
def own_rabbitmq() -> Iterator[RabbitmqServer]:
    """Give a RabbitMQ that the test may kill."""
    with RabbitmqServer() as server:
        yield server


@pytest.fixture
def queue_at() -> Iterator[QueueAt]:
    """Make queues as web processes have them, which are closed after the test: `queue_at(url, now=…)`."""
    with ExitStack() as made:

        def make(url: str, **options: Callable[[], float]) -> DramatiqQueue:
            broker = ringing_broker(url)
            made.callback(broker.close)
            return DramatiqQueue(lambda: broker, queue_name=QUEUE, actor_name=ACTOR, **options)

        yield make


@pytest.fixture
def doorbell(rabbitmq: RabbitmqServer, queue_at: QueueAt) -> Iterator[Doorbell]:
    """Give what the contract suite calls a doorbell, on RabbitMQ."""
    working = working_broker(rabbitmq.url, threads=1, middleware=[])
    bell = Doorbell(queue=queue_at(rabbitmq.url), worker_broker=working, messages=lambda: _messages(rabbitmq))
    declare_actors(working, bell.process)
    bell.queue.waiting()  # connects with more patience than a ring has, for the sake of a busy machine
    yield bell
    working.close()


def _messages(rabbitmq: RabbitmqServer) -> list[bytes]:
    """Read what lies in the queue; the end of the connection puts it back."""
    with rabbitmq.channel() as channel:
        channel.queue_declare(QUEUE, durable=True)
        taken = []
        while (body := channel.basic_get(QUEUE)[2]) is not None:
            taken.append(body)
        return taken
