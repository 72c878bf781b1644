"""By when a worker must have answered, and what it has failed to do after that. Pure."""

from __future__ import annotations

from typing import NamedTuple

from pytest_ptc.model.lifecycle import WorkerState

#: Seconds in which a worker that has a place must call in, its agent ready. Until it has one, the
#: run's own timeout alone counts: a place may be in the queue of a batch system.
START_TIMEOUT_S = 90.0
#: Seconds past its deadline at which a busy worker is taken as stuck: the worker itself ends an
#: attempt at the deadline and needs a moment to end a process tree that ignores SIGTERM.
STUCK_AFTER_S = 10.0
#: Seconds in which a worker must begin what it was given; it may have to end what was before.
BEGIN_TIMEOUT_S = 45.0


class Deadline(NamedTuple):
    """When a worker is taken as stuck, unless it moves before: the time, its name, and why."""

    at: float
    worker: str
    why: str


def deadline_of(
    worker: str, state: WorkerState, since: float, *, timeout: float | None, begun: bool
) -> Deadline | None:
    """Return by when a worker must have moved; None where nothing is expected of it.

    Args:
        worker: Its name.
        state: Where it stands.
        since: When it came into that state, or was given its attempt.
        timeout: Seconds that its attempt may take; None where it has none.
        begun: Whether it has reported that it began that attempt.
    """
    if state is WorkerState.STARTING:
        why = f"did not call in within {START_TIMEOUT_S:g} s"
        return Deadline(since + START_TIMEOUT_S, worker, why)
    if state is not WorkerState.BUSY or timeout is None:
        return None
    over = since + timeout + STUCK_AFTER_S
    if begun:
        return Deadline(over, worker, "did not answer after its task's timeout")
    return Deadline(min(over, since + BEGIN_TIMEOUT_S), worker, "did not begin its task")
