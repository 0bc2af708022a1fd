"""The host's coroutines, awaited by our plain threads."""

import asyncio
import inspect
import sys
from collections.abc import Awaitable
from typing import TypeVar

from sqr_jobs.errors import ConfigurationError

__all__ = ["settled"]

_Answer = TypeVar("_Answer")


def settled(answer: _Answer | Awaitable[_Answer]) -> _Answer:
    """Return a hook's answer; await it first if the hook is a coroutine.

    It runs on the loop that lent the calling thread, where FastAPI or AnyIO did: the host's connections
    belong to that loop. Any other thread runs it on a new loop. Raises `ConfigurationError` on a loop's own
    thread, which can't wait for itself.
    """
    if not inspect.isawaitable(answer):
        return answer

    async def wait() -> _Answer:
        return await answer

    if _is_lent_by_a_loop():
        from anyio import from_thread  # noqa: PLC0415 - comes with FastAPI

        return from_thread.run(wait)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(wait())
    if inspect.iscoroutine(answer):
        answer.close()
    raise ConfigurationError(
        "A UserDirectory with coroutines was asked on the event loop's own thread, which would wait for "
        "itself. Call from a thread: await run_in_threadpool(reports.create, …)."
    )


def _is_lent_by_a_loop() -> bool:
    if "anyio" not in sys.modules:
        return False
    from anyio import from_thread  # noqa: PLC0415

    try:
        from_thread.check_cancelled()
    except RuntimeError:
        return False
    return True
