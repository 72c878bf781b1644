"""What the schedule sees of the board at one moment. Frozen: it decides, and changes nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pytest_ptc.coordinator.deadlines import Deadline
    from pytest_ptc.coordinator.workers import Loss


class ReadyTask(NamedTuple):
    """A task that may be assigned: its id, the US dollars to put aside for it, and its group."""

    task_id: str
    to_reserve_usd: float
    group: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BoardView:
    """A run at one moment; all times are on the coordinator's clock.

    Args:
        began: When its first task was submitted.
        stopping: Whether nothing more is begun.
        open_tasks: How many tasks have not ended.
        open_behind: How many of those can never be at work at once with the others, for their
            groups' sake.
        ready: Tasks that may be assigned, first come first served; see `Board.view` for how many.
        waiting: How many tasks wait for a worker, those that wait out a backoff among them.
        next_rested: When the next backoff is over, if a task waits one out.
        held_until: Until when no task is assigned; None where nothing is held.
        groups_at_work: The groups of which a task is at work.
        live: How many workers are not gone.
        starting: How many of those have not called in yet.
        idle: Workers that wait for a task, as many as there are ready ones, and one at least.
        deadline: The first of all deadlines of workers; None where there is none.
        launches: How many workers have been launched, also those that are gone.
        unplaced: How many of those cost no restart: they never had a place.
        launch_at: No worker is launched before that.
        shut: Why no worker can be launched any more; None where one can.
        unready_deaths: How often workers have died before one has ever called in.
        awaits_burial: Whether there is a gone worker of which it is not known yet how it ended.
        last_lost: The last worker of which that became known.
        running: How many attempts have not ended, those of workers that are gone among them.
        spent_usd: What ended attempts have cost.
        reserved_usd: What is put aside for running ones.
    """

    began: float = 0.0
    stopping: bool = False
    open_tasks: int = 0
    open_behind: int = 0
    ready: tuple[ReadyTask, ...] = ()
    waiting: int = 0
    next_rested: float | None = None
    held_until: float | None = None
    groups_at_work: frozenset[str] = frozenset()
    live: int = 0
    starting: int = 0
    idle: tuple[str, ...] = ()
    deadline: Deadline | None = None
    launches: int = 0
    unplaced: int = 0
    launch_at: float = -math.inf
    shut: str | None = None
    unready_deaths: int = 0
    awaits_burial: bool = False
    last_lost: Loss | None = None
    running: int = 0
    spent_usd: float = 0.0
    reserved_usd: float = 0.0
