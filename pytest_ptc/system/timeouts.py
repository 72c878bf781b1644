"""A wait with an end that loses no cancellation.

`asyncio.wait_for` does, before Python 3.12: where what is waited for ends in the moment in which
the waiting task is cancelled, that task goes on. One that does so in a loop never ends, and nor
does whoever waits for it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")


async def within(work: Awaitable[T], seconds: float | None) -> T:
    """Return what some work comes to, at most after so many seconds; None for no limit.

    Raises:
        asyncio.TimeoutError: It has not ended by then; it is cancelled.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            return task.result()
        task.cancel()
        await asyncio.wait({task})
        if task.cancelled():
            raise asyncio.TimeoutError
        return task.result()
    finally:
        if not task.done():
            task.cancel()
        elif not task.cancelled():
            task.exception()  # it has been told of, or nobody waits for it any more
