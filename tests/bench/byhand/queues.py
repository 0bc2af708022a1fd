"""How the hand-written endpoints ring."""

import json
import uuid
from collections.abc import Callable

from tests.bench.byhand.config import Config

__all__ = ["enqueuer"]


def enqueuer(config: Config) -> Callable[[str], None]:
    """Return what rings for a job id."""
    match config.queue:
        case "list":
            return _redis_list(config.redis_url or "")
        case "celery":
            from tests.bench.byhand.celery_app import render

            return lambda job_id: render.delay(job_id) and None
        case _:
            return lambda _job_id: None


def _redis_list(url: str) -> Callable[[str], None]:
    """Ring by storing a message and pushing its id, in one exchange."""
    import redis

    client = redis.Redis.from_url(url)

    def push(job_id: str) -> None:
        message_id = str(uuid.uuid4())
        with client.pipeline(transaction=True) as pipeline:
            pipeline.hset("by-hand:messages", message_id, json.dumps({"job_id": job_id, "id": message_id}))
            pipeline.rpush("by-hand:queue", message_id)
            pipeline.execute()

    return push
