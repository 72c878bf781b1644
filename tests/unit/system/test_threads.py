"""Calls in threads that nobody waits for."""

from __future__ import annotations

import os
import threading
from threading import Event, get_ident
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.system.threads import AsideThreads

if TYPE_CHECKING:
    from concurrent.futures import Future

PATIENCE_S = 30.0


def _raise(error: BaseException) -> None:
    raise error


def test_a_thread_that_has_answered_takes_the_next_call() -> None:
    """Calls one after the other need one thread."""
    threads = AsideThreads(idle_seconds=PATIENCE_S)
    idents = {threads.submit(get_ident).result(PATIENCE_S) for _ in range(100)}
    assert len(idents) == 1
    assert idents != {get_ident()}


def test_a_call_that_hangs_holds_up_no_other() -> None:
    """Each of many calls that do not end has a thread, and the next one is made all the same."""
    threads, end = AsideThreads(idle_seconds=PATIENCE_S), Event()
    hanging = [threads.submit(end.wait, PATIENCE_S) for _ in range(50)]
    assert threads.submit(lambda: "made").result(PATIENCE_S) == "made"
    assert not any(one.done() for one in hanging)
    end.set()
    assert all(one.result(PATIENCE_S) for one in hanging)


@pytest.mark.parametrize("error", [ValueError("v"), KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_what_a_call_raises_is_raised_where_it_is_waited_for(error: BaseException) -> None:
    """The thread is there for the next call, whatever the last one has raised."""
    threads = AsideThreads(idle_seconds=PATIENCE_S)
    with pytest.raises(type(error)):
        threads.submit(_raise, error).result(PATIENCE_S)
    assert threads.submit(lambda: 1).result(PATIENCE_S) == 1


def test_a_cancelled_call_is_not_made() -> None:
    """One that was cancelled before its thread came to it is left out, and the thread goes on."""
    threads, made = AsideThreads(idle_seconds=PATIENCE_S), Event()
    entered, go_on = Event(), Event()

    def first() -> None:
        entered.set()
        go_on.wait(PATIENCE_S)

    before = threads.submit(first)
    before.add_done_callback(lambda _: next_one.append(threads.submit(made.set)))
    before.add_done_callback(lambda _: next_one[0].cancel())
    next_one: list[Future[None]] = []
    assert entered.wait(PATIENCE_S)
    go_on.set()
    before.result(PATIENCE_S)
    assert threads.submit(lambda: 1).result(PATIENCE_S) == 1
    assert not made.is_set()


def test_a_thread_without_calls_ends_and_another_takes_its_place() -> None:
    """What is idle for too long ends; a call that comes then is made all the same."""
    threads = AsideThreads(idle_seconds=0.01)
    thread = threads.submit(threading.current_thread).result(PATIENCE_S)
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert threads.submit(lambda: 1).result(PATIENCE_S) == 1


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own() -> None:
    """A thread that is idle here is not there, where a call is made all the same."""
    threads = AsideThreads(idle_seconds=PATIENCE_S)
    threads.submit(get_ident).result(PATIENCE_S)
    child = os.fork()
    if not child:
        try:
            os._exit(threads.submit(lambda: 7).result(PATIENCE_S))
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
