"""RabbitMQ: rings that never keep a request waiting, and a consumer to which messages are pushed."""

import contextlib
import json
import threading
import time
from functools import partial
from typing import Any

import pika
import pika.exceptions
from dramatiq import Consumer, Message, MessageProxy, Middleware
from dramatiq.brokers.rabbitmq import RabbitmqBroker, _RabbitmqConsumer
from dramatiq.common import dq_name
from dramatiq.errors import ConnectionClosed

from sqr_jobs.adapters.amqp_line import AmqpLine, parameters_for
from sqr_jobs.adapters.honest_message import honest_message
from sqr_jobs.adapters.own_rings import OwnRings
from sqr_jobs.adapters.patient_consumer import PatientConsumer

__all__ = [
    "PushingRabbitmqBroker",
    "RabbitmqDoorbell",
    "relaying_broker",
    "ringing_broker",
    "working_broker",
]

_RING_S = 0.1
_ASK_S = 2.0
_WORKERS = "sqr_jobs.workers"
_ANNOUNCED_MS = "10000"
_FIRST_S = 0.5
_CLOSE_S = 2.0
_TURN_S = 0.05
_TURNS_S = 4.0
_TRANSIENT = 1
_ACCESS_REFUSED = 403


class RabbitmqDoorbell:
    """What web process and relay need of RabbitMQ, on one connection.

    A ring is one try of `ring_s` at most, and has succeeded when the broker confirmed it. Dramatiq's own
    enqueue tries six times, and each thread of the host would hold a connection.
    """

    def __init__(self, line: AmqpLine, *, ring_s: float = _RING_S) -> None:
        self._line = line
        self._ring_s = ring_s

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:  # noqa: ARG002 - never delayed
        """Publish a message that need not outlive the broker's restart: the relay rings again then."""
        publish = partial(_publish, queue_name=message.queue_name, body=message.encode())
        self._line.ask(publish, patience_s=self._ring_s)
        return message

    def waiting(self, queue_name: str) -> int:
        """Count the messages that no consumer was given."""
        return int(self._line.ask(partial(_declare, queue_name=queue_name), patience_s=_ASK_S))

    def announce(self, worker: str, announcement: str) -> None:
        """Leave a message that the broker drops after 10 s."""
        body = json.dumps({"worker": worker, "database": announcement}).encode()
        publish = partial(_publish, queue_name=_WORKERS, body=body, expiration=_ANNOUNCED_MS)
        self._line.ask(publish, patience_s=_ASK_S)

    def withdraw(self, worker: str) -> None:
        """Take back what a worker left that takes no more messages."""
        self._line.ask(partial(_read_announcements, withdrawn=worker), patience_s=_TURNS_S + _ASK_S)

    def workers(self) -> dict[str, str]:
        """Read what workers left in the last 10 s, and leave it there."""
        found: dict[str, str] = self._line.ask(_read_announcements, patience_s=_TURNS_S + _ASK_S)
        return found

    def close(self) -> None:
        """End the connection."""
        self._line.close()


def _declare(channel: Any, queue_name: str) -> int:
    """Make the queue unless it is there; how many messages lie in it, ready to be given away.

    It is durable because RabbitMQ is about to drop queues that are neither durable nor somebody's own.
    """
    return int(channel.queue_declare(queue_name, durable=True).method.message_count)


def _publish(channel: Any, *, queue_name: str, body: bytes, expiration: str | None = None) -> None:
    send = partial(
        channel.basic_publish,
        exchange="",
        routing_key=queue_name,
        body=body,
        properties=pika.BasicProperties(delivery_mode=_TRANSIENT, expiration=expiration),
        mandatory=True,
    )
    try:
        send()
    except pika.exceptions.UnroutableError:  # the first ring ever, or someone deleted the queue
        _declare(channel, queue_name)
        send()


def _read_announcements(channel: Any, withdrawn: str | None = None) -> dict[str, str]:
    """Take every announcement and, by closing a second channel, give all back but the withdrawn worker's.

    While one reads, another would find the queue empty: so only one may, and the others wait their turn.
    """
    connection = channel.connection
    until = time.monotonic() + _TURNS_S
    while True:
        reader = connection.channel()
        try:
            return _announcements(reader, withdrawn)
        except pika.exceptions.ChannelClosedByBroker as refusal:
            if refusal.reply_code != _ACCESS_REFUSED or time.monotonic() > until:
                raise
            connection.sleep(_TURN_S)
        finally:
            if reader.is_open:
                reader.close()


def _announcements(channel: Any, withdrawn: str | None) -> dict[str, str]:
    """Read all: an only consumer, which may hold one message, has the turn and the first; the rest is got."""
    found: dict[str, str] = {}
    taken_back = []
    _declare(channel, _WORKERS)
    channel.basic_qos(prefetch_count=1)
    method, _, body = next(channel.consume(_WORKERS, exclusive=True, inactivity_timeout=_FIRST_S))
    while method is not None:
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):  # not one of ours
            announced = json.loads(body)
            if announced["worker"] == withdrawn:
                taken_back.append(method.delivery_tag)
            else:
                found[str(announced["worker"])] = str(announced["database"])
        method, _, body = channel.basic_get(_WORKERS)
    for tag in taken_back:  # after the reading: an acknowledged message makes room for one that nobody reads
        channel.basic_ack(tag)
    return found


class PushingRabbitmqBroker(RabbitmqBroker):
    """A worker's broker: RabbitMQ pushes as many messages as there are threads, and the rest stays in reach.

    There is neither a delay nor a dead-letter queue, because nothing here delays, retries or fails.
    """

    def __init__(
        self, *, url: str, prefetch: int, middleware: list[Middleware], rings: OwnRings | None = None
    ) -> None:
        super().__init__(middleware=middleware)
        self.parameters = parameters_for(url, "worker")
        self._prefetch = prefetch
        self._rings = rings

    def declare_queue(self, queue_name: str, *, ensure: bool = False) -> None:  # noqa: ARG002 - Dramatiq's signature
        """Know of the queue; its consumer makes it in RabbitMQ, on its own connection.

        Its consumer for delayed messages takes this process's own rings, if any.
        """
        if queue_name in self.queues:
            return
        self.emit_before("declare_queue", queue_name)
        self.queues.add(queue_name)
        self.emit_after("declare_queue", queue_name)
        if self._rings is not None:
            self.delay_queues.add(dq_name(queue_name))
            self.emit_after("declare_delay_queue", dq_name(queue_name))

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:  # noqa: ARG002 - it would hoard
        """Consume with one message per thread."""
        if self._rings is not None and queue_name in self.delay_queues:
            return self._rings.consumer()
        return PatientConsumer(partial(self._connect, queue_name, timeout), rings=self._rings)

    def _connect(self, queue_name: str, timeout: int) -> Consumer:
        try:
            return _PushedConsumer(self, queue_name, self._prefetch, timeout)
        except Exception as error:  # noqa: BLE001 - connecting raises what it met, of any class
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]


class _PushedMessage(MessageProxy):
    """A message, and the channel that brought it: its number means nothing on another."""

    def __init__(self, message: Message[Any], *, channel: Any, tag: int) -> None:
        super().__init__(message)
        self.channel = channel
        self.tag = tag


class _PushedConsumer(_RabbitmqConsumer):
    """Waits for what RabbitMQ pushes; a second without any gives None, and a lost connection is raised."""

    def __init__(self, broker: RabbitmqBroker, queue_name: str, prefetch: int, timeout: int) -> None:
        super().__init__(broker, queue_name, prefetch, timeout)  # type: ignore[no-untyped-call]
        _declare(self.channel, queue_name)  # before the first `next`, which is when consuming begins

    def __next__(self) -> MessageProxy | None:
        """Return a message, or None."""
        try:
            method, _, body = next(self.iterator)
            if method is None:
                return None
            try:
                message = honest_message(body, queue_name=self.queue_name, actors=self.broker.actors)
            except Exception:  # noqa: BLE001 - somebody else's bytes must not stop the consumer
                self.logger.warning("dropped a message that is not one of ours")
                self.channel.basic_ack(method.delivery_tag)
                return None
            return _PushedMessage(message, channel=self.channel, tag=method.delivery_tag)
        except (AssertionError, pika.exceptions.AMQPError) as error:
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]

    def ack(self, message: MessageProxy) -> None:
        """Acknowledge, once: a message whose connection is gone comes again and finds its job taken."""
        assert isinstance(message, _PushedMessage)
        acknowledge = partial(message.channel.basic_ack, message.tag)
        try:
            message.channel.connection.add_callback_threadsafe(acknowledge)
        except pika.exceptions.AMQPError as error:
            self.logger.warning("a message could not be acknowledged: %s", type(error).__name__)

    def nack(self, message: MessageProxy) -> None:
        """Likewise: what becomes of a job stands in the database, not in a queue of dead letters."""
        self.ack(message)

    def close(self) -> None:
        """Settle what is left and hang up within 2 s: a silent broker must not hold up the end."""
        closing = threading.Thread(target=self._close, name="sqr-jobs-amqp-close", daemon=True)
        closing.start()
        closing.join(_CLOSE_S)

    def _close(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            super().close()  # type: ignore[no-untyped-call]


def ringing_broker(url: str) -> RabbitmqDoorbell:
    """Make the broker of a web process: a ring takes 100 ms at most. Raises `ConfigurationError`."""
    return RabbitmqDoorbell(AmqpLine(parameters_for(url, "ring")))


def relaying_broker(url: str) -> RabbitmqDoorbell:
    """Make the broker of a relay, for which a server that is far away is better than none."""
    return RabbitmqDoorbell(AmqpLine(parameters_for(url, "relay")), ring_s=_ASK_S)


def working_broker(
    url: str, *, threads: int, middleware: list[Middleware], rings: OwnRings | None = None
) -> PushingRabbitmqBroker:
    """Make the broker of a worker process. Raises `ConfigurationError`."""
    return PushingRabbitmqBroker(url=url, prefetch=threads, middleware=middleware, rings=rings)
