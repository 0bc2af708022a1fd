"""Sends a message of its own through Redis and fetches it as a worker does."""

import contextlib
import secrets
from typing import Any

from dramatiq import Message

from sqr_jobs.adapters.broker_outages import broker_reason
from sqr_jobs.adapters.redis_broker import BlockingRedisBroker
from sqr_jobs.errors import QueueUnavailable, Unavailable

__all__ = ["rehearse_on_redis"]

_QUEUE = "sqr_jobs.check"
_WAIT_S = 1.0
_LEFT_OVER_S = 60


def rehearse_on_redis(sender: BlockingRedisBroker, worker: BlockingRedisBroker) -> None:
    """Enqueue a message, wait for it, fetch and acknowledge it, on a queue that no worker consumes.

    Each call has its own queue, which leaves nothing behind. Raises `QueueUnavailable`.
    """
    queue = f"{_QUEUE}.{secrets.token_hex(8)}"
    message: Message[Any] = Message(
        queue_name=queue, actor_name="sqr_jobs_check", args=(), kwargs={}, options={}
    )
    step = "sent"
    try:
        sent = sender.enqueue(message)
        step = "fetched as a worker does"
        _expire(worker, queue)
        name = f"{worker.namespace}:{queue}"
        worker.client.blmove(name, name, _WAIT_S, "LEFT", "LEFT")  # type: ignore[arg-type]  # as an idle worker
        fetched = worker.do_fetch(queue, 1)
        worker.do_ack(queue, sent.options["redis_message_id"])
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a client raises
        raise QueueUnavailable(f"A message can't be {step} ({broker_reason(error)}).") from None
    finally:
        _clean_up(worker, queue)
    if len(fetched) != 1 or fetched[0] != sent.encode():
        raise QueueUnavailable(
            "A message comes back changed. Remove decode_responses and encoding from the URL."
        )


def _expire(broker: BlockingRedisBroker, queue: str) -> None:
    """Let Redis forget the queue if this process dies before it does."""
    with contextlib.suppress(Exception):  # a user may lack this command
        for name in _names(broker, queue):
            broker.client.expire(name, _LEFT_OVER_S)


def _clean_up(broker: BlockingRedisBroker, queue: str) -> None:
    """Forget the queue, and that this process ever worked: Redis would look for its messages for ever."""
    with contextlib.suppress(Exception):
        broker.client.delete(*_names(broker, queue))
        broker.client.zrem(f"{broker.namespace}:__heartbeats__", broker.broker_id)
    with contextlib.suppress(Exception):
        broker.client.close()


def _names(broker: BlockingRedisBroker, queue: str) -> list[str]:
    name = f"{broker.namespace}:{queue}"
    return [name, f"{name}.msgs", f"{broker.namespace}:__acks__.{broker.broker_id}.{queue}"]
