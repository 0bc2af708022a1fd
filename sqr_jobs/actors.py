"""The Dramatiq actors."""

import logging
from collections.abc import Callable

import dramatiq

from sqr_jobs.errors import Unavailable

__all__ = ["ACTOR", "QUEUE", "declare_actors"]

_logger = logging.getLogger("sqr_jobs.actors")

QUEUE = "sqr_jobs"
ACTOR = "sqr_jobs_process"


def declare_actors(broker: dramatiq.Broker, process: Callable[[str | None], bool]) -> None:
    """Declare the one actor on this broker.

    A message says only that there is work, so the actor never raises and Dramatiq never retries: what
    becomes of a job is decided and remembered in the database.
    """

    def run(job_id: object = None) -> None:
        try:
            process(job_id if isinstance(job_id, str) and len(job_id) <= _JOB_ID else None)
        except Unavailable as error:
            _logger.warning("no job could be claimed; the relay rings again: %s", error)
        except Exception:
            _logger.exception("the actor failed and goes on")

    dramatiq.actor(broker=broker, queue_name=QUEUE, actor_name=ACTOR)(run)


_JOB_ID = 36
