"""The Dramatiq actors."""

import logging
from collections.abc import Callable

import dramatiq

from sqr_jobs.errors import Unavailable
from sqr_jobs.logs import Outage, stack_of

__all__ = ["ACTOR", "QUEUE", "declare_actors"]

_logger = logging.getLogger("sqr_jobs.actors")

QUEUE = "sqr_jobs"
ACTOR = "sqr_jobs_process"


def declare_actors(broker: dramatiq.Broker, process: Callable[[str | None], bool]) -> None:
    """Declare the one actor on this broker.

    A message says only that there is work, so the actor never raises and Dramatiq never retries: what
    becomes of a job is decided and remembered in the database.
    """
    outage = Outage()

    def run(job_id: object = None) -> None:
        try:
            process(job_id if isinstance(job_id, str) and len(job_id) <= _JOB_ID else None)
        except Unavailable as error:
            if outage.is_news(str(error)):
                _logger.warning("no job can be claimed; the relay rings again: %s", error)
        except Exception as error:  # noqa: BLE001 - Dramatiq must not try the message again
            _logger.error("the actor failed and goes on%s", stack_of(error))  # noqa: TRY400 - its message stays out
        else:
            if (lasted_s := outage.over()) is not None:
                _logger.info("jobs are claimed again, after %.0f s", lasted_s)

    dramatiq.actor(broker=broker, queue_name=QUEUE, actor_name=ACTOR)(run)


_JOB_ID = 36
