"""Calls that may take long or hang, each in a thread of its own that nobody waits for at the end.

The threads of asyncio's own pool are joined when the process ends: one that hangs on a file system
that does not answer, or that waits for somebody's lock, would hold up that end.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class _Threads(Executor):
    """A daemon thread for every call."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Begin a call."""
        future: Future[T] = Future()
        work = partial(_carry_out, future, partial(fn, *args, **kwargs))
        Thread(target=work, name="ptc-aside", daemon=True).start()
        return future


class OneByOne(Executor):
    """A daemon thread that carries out one call after the other, in the order that they came."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._begun = False

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Have a call carried out when all before it have been."""
        future: Future[T] = Future()
        self._calls.put(partial(_carry_out, future, partial(fn, *args, **kwargs)))
        if not self._begun:
            self._begun = True
            Thread(target=self._work, name="ptc-one-by-one", daemon=True).start()
        return future

    def _work(self) -> None:
        while True:
            self._calls.get()()


def _carry_out(future: Future[T], call: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
        future.set_exception(error)
    else:
        future.set_result(result)


_THREADS = _Threads()


async def in_thread(
    call: Callable[..., T],
    *args: Any,
    seconds: float | None = None,
    executor: Executor = _THREADS,
    keep: bool = False,
) -> T:
    """Return what a call returns that is made in a thread.

    Ended by cancellation, or when its time is over, it goes on in its thread, unheard.

    Args:
        call: What is called.
        args: Its arguments.
        seconds: How long it is waited for; None for ever.
        executor: The threads.
        keep: Whether it is carried out, too, if it has not begun when its time is over.

    Raises:
        asyncio.TimeoutError: It took longer.
    """
    future = asyncio.get_running_loop().run_in_executor(executor, call, *args)
    return await asyncio.wait_for(asyncio.shield(future) if keep else future, seconds)
