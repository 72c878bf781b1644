"""Calls that may take long or hang, in threads that nobody waits for at the end.

The threads of asyncio's own pool are joined when the process ends: one that hangs on a file system
that does not answer, or that waits for somebody's lock, would hold up that end.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from concurrent.futures import Executor, Future
from functools import partial
from queue import Empty, SimpleQueue
from threading import Condition, Lock, Thread
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from pytest_ptc.system.timeouts import within

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_Call: TypeAlias = "tuple[Future[Any], Callable[[], Any]]"
_Answer: TypeAlias = "Callable[[Future[Any]], None]"


class AsideThreads(Executor):
    """Daemon threads for calls: never one behind another, and an idle one is used again.

    Starting a thread costs as much as a small file, and whoever starts it waits until it runs.

    Args:
        idle_seconds: A thread that has had nothing to do for so long ends.
    """

    def __init__(self, idle_seconds: float) -> None:
        self._idle_seconds = idle_seconds
        self._lock = Lock()
        #: Where idle threads wait for their next call; the one that was at work last comes last.
        self._idle: list[SimpleQueue[_Call]] = []
        # A forked process has none of the threads.
        os.register_at_fork(after_in_child=self._forget)

    def __repr__(self) -> str:
        return f"<AsideThreads {len(self._idle)} idle>"

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Begin a call."""
        future: Future[T] = Future()
        with self._lock:
            inbox = self._idle.pop() if self._idle else None
        if inbox is None:
            inbox = SimpleQueue()
            Thread(target=self._work, args=(inbox,), name="ptc-aside", daemon=True).start()
        inbox.put((future, partial(fn, *args, **kwargs)))
        return future

    def _work(self, inbox: SimpleQueue[_Call]) -> None:
        while True:
            try:
                future, call = inbox.get(timeout=self._idle_seconds)
            except Empty:
                if self._retires(inbox):
                    return
                continue
            answer = _answer_of(call) if future.set_running_or_notify_cancel() else _no_answer
            # Idle before it answers: who has an answer, and calls again, needs no other thread.
            with self._lock:
                self._idle.append(inbox)
            answer(future)
            # Not kept until the next one comes: it may hold much.
            del future, call, answer

    def _retires(self, inbox: SimpleQueue[_Call]) -> bool:
        """Take a thread out of those that are idle; False where it is about to get a call."""
        with self._lock:
            if inbox not in self._idle:
                return False
            self._idle.remove(inbox)
            return True

    def _forget(self) -> None:
        self._lock = Lock()
        self._idle = []


class InTurn:
    """Daemon threads for calls that each have a key: of one key one after the other, in order.

    Args:
        most: How many threads at once. Calls of further keys wait for one.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        lock = Lock()
        # Two, and one thread is woken at a time: each that wakes takes the interpreter from others.
        self._more = Condition(lock)
        self._done = Condition(lock)
        #: Calls of each key that have not ended; the first one may have begun.
        self._calls: dict[str, deque[Callable[[], None]]] = {}
        #: Keys whose next call may begin.
        self._startable: deque[str] = deque()
        self._threads = 0
        self._idle = 0
        self._closed = False

    def __repr__(self) -> str:
        return f"<InTurn {sorted(self._calls)}>"

    def submit(self, key: str, call: Callable[[], T]) -> Future[T]:
        """Have a call carried out when all before it of this key have been.

        Raises:
            RuntimeError: It is closed.
        """
        future: Future[T] = Future()
        # Cancelled, it is carried out all the same: what is asked for later counts on it.
        future.set_running_or_notify_cancel()
        with self._more:
            if self._closed:
                raise RuntimeError("no calls are taken any more")
            calls = self._calls.setdefault(key, deque())
            calls.append(partial(_finish, future, call))
            if len(calls) == 1:
                self._make_startable(key)
        return future

    def close(self, seconds: float) -> list[str]:
        """Wait for all calls, then drop those that have not begun; may be called again.

        Returns:
            The keys that calls are left of.
        """
        with self._done:
            self._done.wait_for(lambda: not self._calls, seconds)
            self._closed = True
            left = list(self._calls)
            self._calls.clear()
            self._startable.clear()
            self._more.notify_all()
        return left

    def _make_startable(self, key: str) -> None:
        self._startable.append(key)
        if len(self._startable) > self._idle and self._threads < self._most:
            self._threads += 1
            Thread(target=self._work, name="ptc-in-turn", daemon=True).start()
        else:
            self._more.notify()

    def _work(self) -> None:
        while (found := self._next()) is not None:
            key, call = found
            call()
            with self._more:
                # Dropped when it was closed meanwhile.
                if (calls := self._calls.get(key)) is not None:
                    calls.popleft()
                    if calls:
                        self._make_startable(key)
                    else:
                        del self._calls[key]
                        self._done.notify_all()

    def _next(self) -> tuple[str, Callable[[], None]] | None:
        """Return the next call that may begin; None when it is closed."""
        with self._more:
            self._idle += 1
            self._more.wait_for(lambda: self._startable or self._closed)
            self._idle -= 1
            if not self._startable:
                return None
            key = self._startable.popleft()
            return key, self._calls[key][0]


def _finish(future: Future[T], call: Callable[[], T]) -> None:
    _answer_of(call)(future)


def _answer_of(call: Callable[[], Any]) -> _Answer:
    """Make a call, and return what puts its result or its exception into a future."""
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
        return partial(Future.set_exception, exception=error)
    return partial(Future.set_result, result=result)


def _no_answer(_: Future[Any]) -> None:
    """Leave a future alone that was cancelled."""


_THREADS = AsideThreads(idle_seconds=10.0)


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
    return await within(future, seconds)
