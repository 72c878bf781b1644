"""The schedule: what to do now, given a view of the board. It decides; the supervisor acts.

Pure. What a call costs does not depend on how many tasks and workers there are, but on how many of
them have something to do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.text.printable import usd

if TYPE_CHECKING:
    from pytest_ptc.coordinator.view import BoardView, ReadyTask

#: US dollars that sums of binary fractions may be off by.
_ROUNDING_USD = 1e-9
#: So many workers may end before any has called in; then no more are started.
MAX_FAILED_STARTS = 3
#: Longest last line of a worker in a message, in characters.
MAX_LAST_LINE_CHARS = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a run may use.

    Args:
        workers: How many workers at once.
        starting: How many of them may be starting at once; None for no limit. A start is bound by
            the processor: the fewer start together, the sooner the first task begins. Those that
            wait for a place count.
        max_worker_restart: How many lost ones are replaced.
        budget_usd: How many US dollars in all; None for no limit.
        run_timeout: How many seconds in all, from its first task on; None for no limit.
    """

    workers: int
    max_worker_restart: int
    starting: int | None = None
    budget_usd: float | None = None
    run_timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """Ask for a place for a worker of this name, and start it there."""

    worker: str


@dataclass(frozen=True, slots=True)
class Assign:
    """Give this task to this worker."""

    task_id: str
    worker: str


@dataclass(frozen=True, slots=True)
class Kill:
    """End this worker, which does not answer."""

    worker: str
    why: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """End this ready task with this trouble, without an attempt."""

    task_id: str
    trouble: Trouble


@dataclass(frozen=True, slots=True)
class GiveUpReady:
    """End all tasks that wait for a worker with this trouble.

    A running task's worker may be gone too: its attempt is being ended and needs no help. Nor does
    a blocked task: it ends with the one that it waits for.
    """

    trouble: Trouble


@dataclass(frozen=True, slots=True)
class Stop:
    """Begin nothing more, end what runs, and end all tasks that are open with this trouble."""

    trouble: Trouble


Action = Launch | Assign | Kill | GiveUp | GiveUpReady | Stop


def plan(view: BoardView, limits: Limits, now: float) -> list[Action]:
    """Return what to start, assign, end or give up now."""
    if view.stopping:
        return []
    if limits.run_timeout is not None and now >= view.began + limits.run_timeout:
        return [Stop(_out_of_time(limits.run_timeout))] if view.open_tasks else []
    # One at a time: what follows from that is on the next view.
    late = view.deadline if view.deadline is not None and now >= view.deadline.at else None
    stuck = [Kill(late.worker, late.why)] if late is not None else []
    launches = _launches(view, limits)
    if launches and now < view.launch_at:
        launches = []
    elif not launches and not view.live:
        # The message says how the last of them ended: wait until that is known.
        return [] if view.awaits_burial or not view.waiting else [_no_workers(view)]
    actions = _assignments(view, limits, now)
    if any(isinstance(action, GiveUp) for action in actions):
        # There may be nothing left to launch a worker for.
        launches = []
    return [*stuck, *actions, *launches]


def next_look(view: BoardView, limits: Limits) -> float | None:
    """Return when the schedule must look again though nothing has happened, if ever."""
    if view.stopping:
        # `plan` does nothing now: a deadline in the past would make the loop spin.
        return None
    times = [view.next_rested, view.held_until]
    if view.deadline is not None:
        times.append(view.deadline.at)
    if limits.run_timeout is not None and view.open_tasks:
        times.append(view.began + limits.run_timeout)
    if view.launch_at > -math.inf and _launches(view, limits):
        times.append(view.launch_at)
    return min((time for time in times if time is not None), default=None)


def _assignments(view: BoardView, limits: Limits, now: float) -> list[Action]:
    if view.held_until is not None and now < view.held_until:
        return []
    if limits.budget_usd is None:
        return [*_startable(view, math.inf)]
    return _within(view, limits.budget_usd)


def _startable(view: BoardView, left_usd: float) -> list[Assign]:
    """Return what may be begun with so much money, never two tasks of one group."""
    idle, groups = [*view.idle], set(view.groups_at_work)
    assignments: list[Assign] = []
    for task in view.ready:
        if not idle or left_usd <= 0:
            break
        # First come first served, but one that is too dear, or whose group is at work, does not
        # stop another.
        if task.group in groups or task.to_reserve_usd > left_usd + _ROUNDING_USD:
            continue
        left_usd -= task.to_reserve_usd
        if task.group is not None:
            groups.add(task.group)
        assignments.append(Assign(task.task_id, idle.pop(0)))
    return assignments


def _within(view: BoardView, budget: float) -> list[Action]:
    """Return what may be started with the money that is left, or what never may."""
    assignments = _startable(view, budget - view.spent_usd - view.reserved_usd)
    if assignments or view.running or view.groups_at_work or not view.idle:
        # A running attempt may cost less than what is reserved for it, and a task that waits for
        # its group may be cheap enough.
        return [*assignments]
    return [GiveUp(task.task_id, _too_dear(view, budget, task)) for task in view.ready]


def _too_dear(view: BoardView, budget: float, task: ReadyTask) -> Trouble:
    message = (
        f"the run's budget is {usd(budget)}, {usd(view.spent_usd)} of it is spent, and this task "
        f"may cost {usd(task.to_reserve_usd)}; raise --ptc-budget-usd"
    )
    return Trouble(cause=Cause.BUDGET, message=message)


def _out_of_time(seconds: float) -> Trouble:
    message = f"the run reached its limit of {seconds:g} s; raise --ptc-run-timeout, or add workers"
    return Trouble(cause=Cause.RUN_TIMEOUT, message=message)


def _launches(view: BoardView, limits: Limits) -> list[Launch]:
    if view.unready_deaths >= MAX_FAILED_STARTS or view.shut is not None:
        return []
    at_once = view.open_tasks - view.open_behind
    wanted = min(limits.workers, at_once) - view.live
    allowed = limits.workers + limits.max_worker_restart - (view.launches - view.unplaced)
    count = max(0, min(wanted, allowed))
    if limits.starting is not None:
        count = max(0, min(count, limits.starting - view.starting))
    return [Launch(f"w{view.launches + i + 1}") for i in range(count)]


def _no_workers(view: BoardView) -> GiveUpReady:
    message, tail = "all workers have ended and no more are started", ""
    if view.shut is not None:
        message += f": {view.shut}"
    elif view.last_lost is not None:
        message += f"; the last one, {view.last_lost.worker}: {view.last_lost.ended}"
        tail = view.last_lost.tail
        if tail:
            message += f", with the last line: {tail.splitlines()[-1][:MAX_LAST_LINE_CHARS]}"
    return GiveUpReady(
        Trouble(
            cause=Cause.NO_WORKERS,
            message=f"{message}; see the journal's worker events",
            evidence=tail,
        )
    )
