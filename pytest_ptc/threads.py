"""Calls that may take long or hang, each in a thread of its own that nobody waits for at the end.

The threads of asyncio's own pool are joined when the process ends: one that hangs on a file system
that does not answer, or that waits for somebody's lock, would hold up that end.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor, Future
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class _DaemonThreads(Executor):
    def submit(  # type: ignore[override]  # typeshed says it with a ParamSpec
        self, fn: Callable[..., T], /, *args: Any, **kwargs: Any
    ) -> Future[T]:
        future: Future[T] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
                future.set_exception(error)
            else:
                future.set_result(result)

        Thread(target=call, name="ptc-aside", daemon=True).start()
        return future


_THREADS = _DaemonThreads()


async def in_thread(call: Callable[..., T], *args: Any, seconds: float | None = None) -> T:
    """Return what a call returns that is made in a thread.

    Ended by cancellation, or when its time is over, it goes on in its thread, unheard.

    Args:
        call: What is called.
        args: Its arguments.
        seconds: How long it is waited for; None for ever.

    Raises:
        asyncio.TimeoutError: It took longer.
    """
    future = asyncio.get_running_loop().run_in_executor(_THREADS, call, *args)
    return await asyncio.wait_for(future, seconds)
