"""The schedule: what to do now, given the board. It decides; the loop acts.

Pure and cheap: one call costs a look at every worker, whatever the number of tasks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_ptc.model.lifecycle import TaskState, WorkerState
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.text.printable import usd

if TYPE_CHECKING:
    from pytest_ptc.coordinator.board import Board

#: Seconds in which a started worker must call in, its agent ready.
START_TIMEOUT = 90.0
#: Seconds past its deadline at which a busy worker is taken as stuck: the worker itself ends an
#: attempt at the deadline and needs a moment to end a process tree that ignores SIGTERM.
STUCK_AFTER = 10.0
#: Seconds in which a worker must begin what it was given; a lock on the shared list may take 15.
BEGIN_TIMEOUT = 45.0
#: US dollars that sums of binary fractions may be off by.
_ROUNDING = 1e-9
#: So many times that workers die before one has ever called in: no further one will do better.
HOPELESS_STARTS = 3
#: Longest last line of a worker in a message, in characters.
LONGEST_LAST_LINE = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a run may use.

    Args:
        workers: How many workers at once.
        starting: How many of them may be starting at once: a start is bound by the processor, and
            the first task begins the sooner, the fewer start together. None for no limit.
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
    """Start a worker of this name."""

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
class Settle:
    """End this task with this trouble."""

    task_id: str
    trouble: Trouble


@dataclass(frozen=True, slots=True)
class Stop:
    """Begin nothing more, end what runs, and end all tasks that are open with this trouble."""

    trouble: Trouble


Action = Launch | Assign | Kill | Settle | Stop


def plan(board: Board, limits: Limits, now: float) -> list[Action]:
    """Return what to start, assign, end or give up now."""
    if board.stopping is not None:
        return []
    if limits.run_timeout is not None and now >= board.began + limits.run_timeout:
        return [Stop(_out_of_time(limits.run_timeout))] if board.open_tasks else []
    stuck = [Kill(name, why) for name, why in _stuck(board, now)]
    launches = _launches(board, limits)
    if not launches and not board.live_workers:
        # Why the last of them ended is told with it.
        return [] if board.unburied else _give_up(board)
    actions = _assignments(board, limits, now)
    if any(isinstance(action, Settle) for action in actions):
        # There may be nothing left to launch a worker for.
        launches = []
    return [*stuck, *actions, *launches]


def next_look(board: Board, limits: Limits) -> float | None:
    """Return when the schedule must look again though nothing has happened, if ever."""
    if board.stopping is not None:
        # A deadline that has passed would be looked at again and again, and nothing follows of it.
        return None
    times = [_deadline(board, worker.name) for worker in board.live_workers]
    if limits.run_timeout is not None and board.open_tasks:
        times.append(board.began + limits.run_timeout)
    if board.resting:
        times.append(board.resting[0][0])
    if board.held is not None:
        times.append(board.held_until)
    return min((time for time in times if time is not None), default=None)


def _assignments(board: Board, limits: Limits, now: float) -> list[Action]:
    if now < board.held_until:
        return []
    if limits.budget_usd is None:
        pairs = zip(board.ready, board.idle_workers, strict=False)
        return [Assign(task_id, worker.name) for task_id, worker in pairs]
    return _within(board, limits.budget_usd)


def _within(board: Board, budget: float) -> list[Action]:
    """Return what may be started with the money that is left, or what never may."""
    left = budget - board.spent - sum(board.reserved.values())
    idle = [worker.name for worker in board.idle_workers]
    assignments: list[Action] = []
    for task_id in board.ready:
        wanted = board.reservation(task_id)
        # First come first served, but a task that is too dear does not stop a cheaper one.
        if idle and left > 0 and wanted <= left + _ROUNDING:
            left -= wanted
            assignments.append(Assign(task_id, idle.pop(0)))
    if assignments or board.reserved or not idle:
        # What runs may turn out cheaper than what was put aside for it.
        return assignments
    return [Settle(task_id, _too_dear(board, budget, task_id)) for task_id in board.ready]


def _too_dear(board: Board, budget: float, task_id: str) -> Trouble:
    message = (
        f"the run's budget is {usd(budget)}, {usd(board.spent)} of it are spent, and "
        f"{usd(board.reservation(task_id))} would be put aside for this task; raise "
        "--ptc-budget-usd"
    )
    return Trouble(cause=Cause.BUDGET, message=message)


def _out_of_time(seconds: float) -> Trouble:
    message = f"the run's {seconds:g} s are over; raise --ptc-run-timeout, or add workers"
    return Trouble(cause=Cause.RUN_TIMEOUT, message=message)


def _stuck(board: Board, now: float) -> list[tuple[str, str]]:
    late = []
    for worker in board.live_workers:
        deadline = _deadline(board, worker.name)
        if deadline is None or now < deadline:
            continue
        if worker.state is WorkerState.STARTING:
            late.append((worker.name, f"did not call in within {START_TIMEOUT:g} s"))
        elif not worker.claimed:
            late.append((worker.name, "did not begin its task"))
        else:
            late.append((worker.name, "did not answer after its task's timeout"))
    return late


def _deadline(board: Board, name: str) -> float | None:
    worker = board.workers[name]
    if worker.state is WorkerState.STARTING:
        return worker.since + START_TIMEOUT
    if worker.attempt is not None:
        timeout = board.tasks[worker.attempt.task_id].spec.timeout
        over = worker.since + timeout + STUCK_AFTER
        return over if worker.claimed else min(over, worker.since + BEGIN_TIMEOUT)
    return None


def _launches(board: Board, limits: Limits) -> list[Launch]:
    if board.unready_deaths >= HOPELESS_STARTS:
        return []
    wanted = min(limits.workers, board.open_tasks) - len(board.live_workers)
    allowed = limits.workers + limits.max_worker_restart - board.launches
    count = max(0, min(wanted, allowed))
    if limits.starting is not None:
        starting = sum(w.state is WorkerState.STARTING for w in board.workers.values())
        count = max(0, min(count, limits.starting - starting))
    return [Launch(f"w{board.launches + i + 1}") for i in range(count)]


def _give_up(board: Board) -> list[Action]:
    message, tail = "all workers are gone and no more are started", ""
    if board.last_lost is not None:
        worker, ended, tail = board.last_lost
        message += f"; the last one, {worker}: {ended}"
        if tail:
            message += f", with the last line: {tail.splitlines()[-1][:LONGEST_LAST_LINE]}"
    trouble = Trouble(
        cause=Cause.NO_WORKERS,
        message=f"{message}; see the journal's worker events",
        evidence=tail,
    )
    # A running task's worker is gone too: its attempt is being ended and needs no help. Nor does a
    # blocked task: it ends with the one that it waits for.
    return [
        Settle(task.id, trouble) for task in board.tasks.values() if task.state is TaskState.READY
    ]
