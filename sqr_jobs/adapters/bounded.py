"""A bound for calls that have none of their own."""

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TypeVar

__all__ = ["bounded", "hedged"]

T = TypeVar("T")


def bounded(call: Callable[[], T], *, left_s: Callable[[], float], name: str) -> T:
    """Make a call in a thread, and wait as long as `left_s`, asked again and again, gives seconds.

    A socket's timeout begins anew with each byte, and the look-up of a host's name has none. Raises
    `TimeoutError` at the end of the time; the thread is left behind then, and ends with what it waits for, or
    with the process.
    """
    answered = _begun(call, name)
    while not answered.done():
        if (seconds := left_s()) <= 0:
            raise TimeoutError("no answer in time")
        wait([answered], timeout=seconds)
    return answered.result()


def hedged(
    call: Callable[[], T],
    *,
    first_s: float,
    again: Callable[[], object],
    retried: type[Exception],
    left_s: Callable[[], float],
    name: str,
) -> T:
    """Make a call, make it a second time after `first_s` without an answer, and take the first answer.

    The first call goes on meanwhile: it may be slow, and not lost. `again` runs before the second call. A
    call that fails with `retried` has no answer. Raises `TimeoutError` at the end of the time.
    """
    calls = [_begun(call, name)]
    wait(calls, timeout=min(first_s, left_s()))
    if not _has_answer(calls[0], retried):
        again()
        calls.append(_begun(call, name))
    while True:
        for each in calls:
            if _has_answer(each, retried):
                return each.result()
        running = [each for each in calls if not each.done()]
        if not running:
            return calls[-1].result()
        if (seconds := left_s()) <= 0:
            raise TimeoutError("no answer in time")
        wait(running, timeout=seconds, return_when=FIRST_COMPLETED)


def _has_answer(call: Future[T], retried: type[Exception]) -> bool:
    return call.done() and not isinstance(call.exception(), retried)


def _begun(call: Callable[[], T], name: str) -> Future[T]:
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
    return answered
