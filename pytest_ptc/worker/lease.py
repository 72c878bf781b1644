"""A worker's lease: it lives until a moment that its supervisor puts off, and no longer.

Pytest takes a node that it does not hear for lost, and gives that node's tasks to others. Until
then all that the node runs must have ended, also where its supervisor is stopped and ends nobody.
So each worker ends itself: by a thread, since its loop may be blocked.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from pytest_ptc.model.variables import ATTEMPT_COOKIE
from pytest_ptc.system.processes import children, end_marked, end_trees

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds after the end of its lease that a worker has to end in order.
END_TIMEOUT_S = 2.0
#: Exit status of a worker that had to be ended by its own thread.
STATUS = 3


class Lease:
    """Ends a worker and all that it has started, once its term is over.

    Args:
        over: Called at the end of the term, in the thread: has the worker end in order.
        end: Called next, and again before the worker is ended: kills what it has started.
        leave: Ends this process at once.
    """

    def __init__(
        self,
        *,
        over: Callable[[], None],
        end: Callable[[], None],
        leave: Callable[[int], object] = os._exit,
    ) -> None:
        self._over = over
        self._end = end
        self._leave = leave
        self._changed = threading.Condition()
        self._until: float | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"<Lease until {self._until}>"

    def renew(self, until: float) -> None:
        """Live until this moment of the machine's monotonic clock; the last word counts.

        It may be earlier than the one before: a first term is counted from the worker's start,
        which may have been late.
        """
        with self._changed:
            self._until = until
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="ptc-lease", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Watch no more, unless the term is over already: the worker has ended what it had."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _watch(self) -> None:
        if not self._runs_out():
            return
        self._over()
        self._end()
        # The process ends within that time, if its loop is not blocked, and this thread with it.
        time.sleep(END_TIMEOUT_S)
        self._end()
        self._leave(STATUS)

    def _runs_out(self) -> bool:
        """Wait for the end of the term; tell whether it has come before `close`."""
        with self._changed:
            while not self._closed:
                assert self._until is not None, "it is set before the thread is started"
                left = self._until - time.monotonic()
                if left <= 0:
                    return True
                self._changed.wait(left)
            return False


def end_all(cookie: str | None) -> None:
    """Kill all that this process has started.

    Args:
        cookie: The mark of the attempt that it is on, by which that is found which has left the
            tree.
    """
    end_trees(children(os.getpid()), grace=0.0)
    if cookie is not None:
        end_marked(ATTEMPT_COOKIE, cookie, grace=0.0)
