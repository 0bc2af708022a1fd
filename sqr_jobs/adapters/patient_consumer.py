"""A consumer that outlives an outage of its broker, and logs it once."""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable

from dramatiq import Consumer, MessageProxy
from dramatiq.errors import ConnectionClosed

from sqr_jobs.adapters.own_rings import OwnRing, OwnRings
from sqr_jobs.errors import Unavailable
from sqr_jobs.logs import Outage

__all__ = ["PatientConsumer"]

_logger = logging.getLogger("sqr_jobs.worker")

_AGAIN_S = 1.0


class PatientConsumer(Consumer):
    """Fetches through another consumer, for which it asks `connect` at first and after each failure.

    `connect` and that consumer raise `ConnectionClosed` or `Unavailable` for an outage. Dramatiq would log a
    CRITICAL for each of its own tries, one in three seconds. `rings` learn whether the broker is reachable.
    """

    def __init__(self, connect: Callable[[], Consumer], *, rings: OwnRings | None = None) -> None:
        self._connect = connect
        self._rings = rings
        self._inner: Consumer | None = None
        self._is_connected = False
        self._outage = Outage()
        self._closed = threading.Event()

    def __next__(self) -> MessageProxy | None:
        """Return a message, or None after about a second without one."""
        try:
            if self._inner is None or not self._is_connected:
                self._inner = self._connect()
                self._is_connected = True
            message = next(self._inner)
        except (ConnectionClosed, Unavailable) as error:
            self._fail(error)
            self._closed.wait(_AGAIN_S)
            return None
        self._note(is_cut_off=False)
        if (lasted_s := self._outage.over()) is not None:
            _logger.info("consumer: recovered, messages are fetched again after %.0f s", lasted_s)
        return message

    def ack(self, message: MessageProxy) -> None:
        """Acknowledge."""
        if isinstance(message, OwnRing):
            message.settle()
        elif self._inner is not None:
            self._inner.ack(message)

    def nack(self, message: MessageProxy) -> None:
        """Refuse."""
        if isinstance(message, OwnRing):
            message.settle()
        elif self._inner is not None:
            self._inner.nack(message)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Give back what was fetched and not begun. If the broker fails, the relay of another worker rings.

        Dramatiq would end its shutdown with an exception here, and with it leave this service running.
        """
        theirs = [message for message in messages if not isinstance(message, OwnRing)]
        if theirs and self._inner is not None:
            try:
                self._inner.requeue(theirs)
            except Exception as error:  # noqa: BLE001 - of any class: the shutdown must go on
                _logger.warning("consumer: giving back messages failed (%s)", _reason(error))

    def close(self) -> None:
        """Close the inner consumer, and wait no more."""
        self._closed.set()
        self._disconnect()

    def _fail(self, error: Exception) -> None:
        self._note(is_cut_off=True)
        if self._outage.is_news(reason := _reason(error)):
            _logger.warning("consumer: fetching messages failed, retrying every second (%s)", reason)
        self._disconnect()

    def _disconnect(self) -> None:
        self._is_connected = False
        if self._inner is not None:  # which still acknowledges, as far as it can
            with contextlib.suppress(Exception):
                self._inner.close()

    def _note(self, *, is_cut_off: bool) -> None:
        if self._rings is not None:
            self._rings.is_cut_off = is_cut_off


def _reason(error: BaseException) -> str:
    """Name the class, and the code with which a server begins its refusal; never the text with addresses."""
    if isinstance(error, Unavailable):
        return str(error)
    message = getattr(error, "message", None)
    cause = message if isinstance(message, BaseException) else error
    code = str(cause).partition(" ")[0]
    return f"{type(cause).__name__} {code}" if code.isupper() and code.isalpha() else type(cause).__name__
