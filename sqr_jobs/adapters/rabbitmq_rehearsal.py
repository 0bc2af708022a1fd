"""Sends a message of its own through RabbitMQ and fetches it as a worker does."""

import contextlib
import secrets
from typing import Any

import pika
from dramatiq import Message

from sqr_jobs.adapters.broker_outages import broker_reason
from sqr_jobs.adapters.rabbitmq_broker import PushingRabbitmqBroker, RabbitmqDoorbell
from sqr_jobs.errors import QueueUnavailable, Unavailable

__all__ = ["rehearse_on_rabbitmq"]

_QUEUE = "sqr_jobs.check"
_WAIT_S = 2.0


def rehearse_on_rabbitmq(sender: RabbitmqDoorbell, worker: PushingRabbitmqBroker) -> None:
    """Publish a message, have it pushed, and acknowledge it, on a queue that no worker consumes.

    Each call has its own queue, which it deletes. Raises `QueueUnavailable`.
    """
    queue = f"{_QUEUE}.{secrets.token_hex(8)}"
    message: Message[Any] = Message(
        queue_name=queue, actor_name="sqr_jobs_check", args=(), kwargs={}, options={}
    )
    step, connection = "sent", None
    try:
        sender.enqueue(message)
        step = "fetched as a worker does"
        connection = pika.BlockingConnection(worker.parameters)
        channel = connection.channel()
        method, _, body = next(channel.consume(queue, inactivity_timeout=_WAIT_S))
        if method is not None:
            channel.basic_ack(method.delivery_tag)
        channel.cancel()
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a client raises
        raise QueueUnavailable(f"A message can't be {step} ({broker_reason(error)}).") from None
    finally:
        if connection is not None:
            _clean_up(connection, queue)
    if body != message.encode():
        raise QueueUnavailable("A message does not come back. Does something else consume the queue?")


def _clean_up(connection: Any, queue: str) -> None:
    with contextlib.suppress(Exception):
        connection.channel().queue_delete(queue)  # the channel of before may be closed by a refusal
    with contextlib.suppress(Exception):
        connection.close()
