"""Job queues for the tests of what rings."""

import time
from collections.abc import Callable

import dramatiq

from sqr_jobs.actors import ACTOR, QUEUE
from sqr_jobs.adapters.dramatiq_queue import DramatiqQueue

__all__ = ["JOB_ID", "queue_on"]

JOB_ID = "0c7b6a3e-0000-4000-8000-000000000001"


def queue_on(broker: dramatiq.Broker, now: Callable[[], float] = time.monotonic) -> DramatiqQueue:
    """Make the queue that requests ring."""
    return DramatiqQueue(lambda: broker, queue_name=QUEUE, actor_name=ACTOR, now=now)
