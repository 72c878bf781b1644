"""The lifecycles that tasks and workers move through, and a run at one moment. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import IllegalMove

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_ptc.model.verdict import VerdictKind


class TaskState(Enum):
    """Where a task stands; `MOVES` has the legal moves."""

    BLOCKED = "blocked"
    READY = "ready"
    RUNNING = "running"
    DONE = "done"

    def move(self, to: TaskState) -> TaskState:
        """Return `to` if the table allows the move.

        Raises:
            IllegalMove: It does not.
        """
        if to not in MOVES[self]:
            raise IllegalMove("task", self, to)
        return to


MOVES: Mapping[TaskState, frozenset[TaskState]] = {
    TaskState.BLOCKED: frozenset({TaskState.READY, TaskState.DONE}),
    # A vote that is ready waits again while what the others found is checked.
    TaskState.READY: frozenset({TaskState.RUNNING, TaskState.DONE, TaskState.BLOCKED}),
    TaskState.RUNNING: frozenset({TaskState.READY, TaskState.DONE}),
    TaskState.DONE: frozenset(),
}


class WorkerState(Enum):
    """Where a worker stands, as the coordinator knows it.

    A worker waits until its host has a place for it: on this machine for no time, on a cluster as
    long as it takes.
    """

    WAITING = "waiting"
    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    GONE = "gone"


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerView:
    """One worker at one moment.

    Args:
        name: `w1`, `w2`, ...
        state: Where it stands.
        nodeid: The test whose task it is on, if it is busy.
        since: When it came into this state, in seconds of the coordinator's monotonic clock.
        node: The node that it has a place on; None while it waits for one, and on this machine.
    """

    name: str
    state: WorkerState
    since: float
    nodeid: str | None = None
    node: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """The whole run at one moment: what the live line shows.

    Args:
        queued: Tasks that wait for a worker or for another task.
        behind_group: How many of those only wait for another task of their group to end.
        running: Tasks that a worker is on.
        verdicts: How many tasks are done with each verdict; troubles count as `ERROR`.
        retries: Attempts beyond a task's first.
        workers: The workers that are not gone, in the order they were started.
        cost_usd: What the run has cost so far, in US dollars, as far as agents account for it.
        held: Why no task is started at the moment, such as `rate limit`.
        held_until: When that is over, in seconds of the coordinator's monotonic clock.
        notes: What else people are to be told, a sentence each: that a node is refused or lost.
    """

    queued: int = 0
    behind_group: int = 0
    running: int = 0
    verdicts: Mapping[VerdictKind, int] = field(default_factory=dict)
    retries: int = 0
    workers: tuple[WorkerView, ...] = ()
    cost_usd: float = 0.0
    held: str | None = None
    held_until: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def without_place(self) -> int:
        """Return how many workers wait for a place."""
        return sum(worker.state is WorkerState.WAITING for worker in self.workers)

    @property
    def nodes(self) -> int:
        """Return how many nodes have a worker."""
        return len({worker.node for worker in self.workers if worker.node is not None})

    @property
    def done(self) -> int:
        """Return how many tasks have ended."""
        return sum(self.verdicts.values())

    @property
    def total(self) -> int:
        """Return how many tasks there are."""
        return self.queued + self.running + self.done
