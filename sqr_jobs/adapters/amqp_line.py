"""A line to RabbitMQ for threads that can't wait: one connection, and the one thread that talks on it."""

import contextlib
import os
import queue
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pika

from sqr_jobs.errors import ConfigurationError

__all__ = ["AmqpLine", "parameters_for"]

_BEAT_S = 1.0
_HEARTBEAT_S, _LONGEST_HEARTBEAT_S = 5, 20
_CONNECT_S = 2.0
_BLOCKED_S = 5.0

_Order = tuple["Future[Any]", Callable[[Any], Any]]


def parameters_for(url: str, role: str) -> pika.URLParameters:
    """Read an address, and bound what no caller bounds. Raises `ConfigurationError` for what is none.

    The management page shows the connection by its role, host and process.
    """
    try:
        parameters = pika.URLParameters(url)
    except Exception:  # noqa: BLE001 - of any class, and its message may show the password
        raise ConfigurationError(
            "SQR_JOBS_BROKER_URL is not an address of RabbitMQ. Set it to "
            "amqp://user:password@host:5672/vhost, with %-escapes for what is special in an address."
        ) from None
    # Bounds of the library hold whatever the address says: a query may name any of them.
    parameters.connection_attempts = 1
    parameters.retry_delay = 0
    parameters.heartbeat = min(parameters.heartbeat or _HEARTBEAT_S, _LONGEST_HEARTBEAT_S)
    parameters.channel_max = parameters.DEFAULT_CHANNEL_MAX
    parameters.frame_max = parameters.DEFAULT_FRAME_MAX
    parameters.socket_timeout = _CONNECT_S
    parameters.stack_timeout = 2 * _CONNECT_S
    # A broker short of memory or disk stops reading from those who publish, for as long as that lasts.
    parameters.blocked_connection_timeout = _BLOCKED_S
    parameters.client_properties = {
        "connection_name": f"sqr-jobs {role} {socket.gethostname()}:{os.getpid()}"
    }
    return parameters


class AmqpLine:
    """Carries out what other threads ask for, one after the other, and lets none of them wait too long.

    pika's connections are not thread-safe, must be looked after for their heartbeats, and bound neither the
    look-up of a name nor the wait for a reply. So a thread of their own has the connection: it may hang in
    any of this, while whoever asked has long been told so, and whoever asks meanwhile is told at once.
    What failed takes the connection with it; the next order makes another.
    """

    def __init__(self, parameters: pika.connection.Parameters) -> None:
        self._parameters = parameters
        self._orders: queue.SimpleQueue[_Order | None] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._busy_since: float | None = None
        self._channel: Any = None

    def ask(self, what: Callable[[Any], Any], *, patience_s: float) -> Any:
        """Return what `what` gives for a channel with publisher confirms, or raise what it raises.

        Raises `TimeoutError` when that takes longer than `patience_s`; an order that was not begun then is
        forgotten, one that was may still be carried out.
        """
        since = self._busy_since
        if since is not None and time.monotonic() - since > patience_s:
            raise TimeoutError("an earlier order still waits")
        self._start()
        answer: Future[Any] = Future()
        self._orders.put((answer, what))
        try:
            return answer.result(patience_s)
        except TimeoutError:
            answer.cancel()
            raise

    def close(self) -> None:
        """Hang up, unless the thread hangs: then leave it, and its connection, behind."""
        if self._thread is not None:
            self._orders.put(None)
            self._thread.join(_BEAT_S)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="sqr-jobs-amqp", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                order = self._orders.get(timeout=None if self._channel is None else _BEAT_S)
            except queue.Empty:
                self._beat()
                continue
            if order is None:
                self._hang_up()
                return
            answer, what = order
            if answer.set_running_or_notify_cancel():
                self._carry_out(answer, what)

    def _carry_out(self, answer: "Future[Any]", what: Callable[[Any], Any]) -> None:
        self._busy_since = time.monotonic()
        try:
            if self._channel is None:
                self._channel = self._connect()
            result = what(self._channel)
        except Exception as error:  # noqa: BLE001 - handed over to the thread that asked
            answer.set_exception(error)
            self._hang_up()
        else:
            answer.set_result(result)
        finally:
            self._busy_since = None

    def _connect(self) -> Any:
        channel = pika.BlockingConnection(self._parameters).channel()
        channel.confirm_delivery()
        return channel

    def _beat(self) -> None:
        """Answer the broker's heartbeats, and see that the connection has ended before a ring must."""
        try:
            self._channel.connection.process_data_events(0)
        except Exception:  # noqa: BLE001 - whatever ends it, the next order connects anew
            self._hang_up()

    def _hang_up(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            with contextlib.suppress(Exception):
                channel.connection.close()
