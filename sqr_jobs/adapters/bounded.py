"""A bound for calls that have none of their own."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

__all__ = ["bounded"]

T = TypeVar("T")


def bounded(call: Callable[[], T], *, left_s: Callable[[], float], name: str) -> T:
    """Make a call in a thread, and wait as long as `left_s`, asked again and again, gives seconds.

    A socket's timeout begins anew with each byte, and the look-up of a host's name has none. Raises
    `TimeoutError` at the end of the time; the thread is left behind then, and ends with what it waits for, or
    with the process.
    """
    answered: Future[T] = Future()

    def run() -> None:
        try:
            answered.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised by the thread that waits
            answered.set_exception(error)

    try:
        threading.Thread(target=run, name=name, daemon=True).start()
    except RuntimeError:  # none can be had, as at the end of the process: sockets' timeouts must do
        run()
    while not answered.done():
        if (seconds := left_s()) <= 0:
            raise TimeoutError("no answer in time")
        wait([answered], timeout=seconds)
    return answered.result()
