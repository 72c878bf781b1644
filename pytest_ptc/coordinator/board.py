"""The board: every task and every worker of a run, and what events do to them.

Pure: the time is an argument, nothing is read or written. Each event is one method that says who
reports it and what follows. What to do next is decided elsewhere, in `schedule.py`.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import IllegalMove
from pytest_ptc.model.lifecycle import Snapshot, TaskState, WorkerState, WorkerView
from pytest_ptc.model.result import Attempt, AttemptReport, Kept, Result
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import VerdictKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_ptc.model.task import TaskSpec

#: Seconds before the first retry; each further one waits twice as long, up to the cap.
BACKOFF = 0.5
BACKOFF_CAP = 30.0


@dataclass(kw_only=True, slots=True)
class Task:
    """One task on the board."""

    id: str
    spec: TaskSpec
    state: TaskState
    unmet: set[str]
    reports: list[AttemptReport] = field(default_factory=list)
    resumed: str | None = None

    @property
    def retries_left(self) -> int:
        """Return how many more attempts trouble may cost."""
        return self.spec.retries + 1 - len(self.reports)


@dataclass(kw_only=True, slots=True)
class Worker:
    """One worker on the board; `since` is when it came into its state.

    `claimed` tells whether it has said that it began the attempt that it was given.
    """

    name: str
    state: WorkerState
    since: float
    attempt: Attempt | None = None
    claimed: bool = False


class Board:
    """All tasks and workers of one run."""

    def __init__(self, began: float = 0.0) -> None:
        #: When the run's first task was submitted, on the clock of all events.
        self.began = began
        self.tasks: dict[str, Task] = {}
        self.workers: dict[str, Worker] = {}
        #: Tasks that may be assigned, first come first served.
        self.ready: deque[str] = deque()
        #: Tasks that wait out a backoff, as (when it ends, id).
        self.resting: list[tuple[float, str]] = []
        #: Results that nobody has fetched yet.
        self.results: list[Result] = []
        self.launches = 0
        #: How often workers have died before one has ever called in, and when one last did.
        self.unready_deaths = 0
        self._unready_death = -math.inf
        self._startable = False
        #: Workers that are gone, and of which nobody has told yet how they ended.
        self.unburied: set[str] = set()
        #: The worker of which that was told last, how it ended, and its last lines.
        self.last_lost: tuple[str, str, str] | None = None
        self.stopping: Trouble | None = None
        #: Why no task is assigned, such as `rate limit`, and until when.
        self.held: str | None = None
        self.held_until = 0.0
        #: US dollars that ended attempts have cost, and the most that one of them did.
        self.spent = 0.0
        self.dearest = 0.0
        #: US dollars put aside for running attempts, by name.
        self.reserved: dict[str, float] = {}
        self._dependents: dict[str, list[str]] = {}
        self._verdicts: Counter[VerdictKind] = Counter()
        self._retries = 0
        self._running = 0

    def __repr__(self) -> str:
        return f"<Board {self.snapshot()!r}>"

    @property
    def open_tasks(self) -> int:
        """Return how many tasks have not ended."""
        return len(self.tasks) - sum(self._verdicts.values())

    @property
    def live_workers(self) -> list[Worker]:
        """Return the workers that are not gone."""
        return [w for w in self.workers.values() if w.state is not WorkerState.GONE]

    @property
    def idle_workers(self) -> list[Worker]:
        """Return the workers that wait for a task."""
        return [w for w in self.workers.values() if w.state is WorkerState.IDLE]

    def next_spec(self, worker: str) -> TaskSpec | None:
        """Return the task that a starting worker will probably get."""
        before = [w for w in self.workers.values() if w.state is WorkerState.STARTING]
        place = [w.name for w in before].index(worker) + len(self.idle_workers)
        return self.tasks[self.ready[min(place, len(self.ready) - 1)]].spec if self.ready else None

    def reservation(self, task_id: str) -> float:
        """Return the US dollars to put aside for a task: its own limit, else the dearest so far."""
        limit = self.tasks[task_id].spec.budget_usd
        return self.dearest if limit is None else limit

    def submitted(self, task_id: str, spec: TaskSpec, needs: Iterable[str] = ()) -> None:
        """Take a new task; `needs` are the ids of tasks that must pass first.

        Reported by the caller of `Coordinator.submit`. A need that has failed already ends it.
        """
        unmet = {need for need in needs if not self._has_passed(need)}
        state = TaskState.BLOCKED if unmet else TaskState.READY
        self.tasks[task_id] = Task(id=task_id, spec=spec, state=state, unmet=unmet)
        for need in unmet:
            self._dependents.setdefault(need, []).append(task_id)
        if self.stopping is not None:
            self.settled(task_id, self.stopping)
        elif not unmet:
            self.ready.append(task_id)
        else:
            failed = [need for need in unmet if self.tasks[need].state is TaskState.DONE]
            if failed:
                self._doom(task_id, failed[0])

    def resumed(self, task_id: str, spec: TaskSpec, kept: Kept) -> None:
        """Take a task that is done: a verdict of an earlier run stands for it."""
        task = Task(
            id=task_id,
            spec=spec,
            state=TaskState.READY,
            unmet=set(),
            reports=[kept.report],
            resumed=kept.run_id,
        )
        self.tasks[task_id] = task
        self._finish(task)

    def launched(self, worker: str, now: float) -> None:
        """Take a worker that its host has started; it is ready when it has called in."""
        self.launches += 1
        self.workers[worker] = Worker(name=worker, state=WorkerState.STARTING, since=now)

    def called_in(self, worker: str, now: float) -> None:
        """Take a started worker as idle. Reported by the worker's first message."""
        self._enter(worker, WorkerState.STARTING, WorkerState.IDLE, now)
        # Whatever ends others before they call in from now on, it is not how they are started.
        self._startable = True
        self.unready_deaths = 0

    def assigned(self, task_id: str, worker: str, now: float) -> Attempt:
        """Give a ready task to an idle worker and return the attempt that this begins."""
        task = self.tasks[task_id]
        task.state = task.state.move(TaskState.RUNNING)
        self.ready.remove(task_id)
        attempt = Attempt(task_id=task_id, number=len(task.reports) + 1, worker=worker)
        busy = self._enter(worker, WorkerState.IDLE, WorkerState.BUSY, now)
        busy.attempt, busy.claimed = attempt, False
        self._running += 1
        self._retries += attempt.number > 1
        self.reserved[attempt.name] = self.reservation(task_id)
        return attempt

    def claimed(self, worker: str) -> None:
        """Take a worker as at work on its attempt. Reported by the worker."""
        self.workers[worker].claimed = True

    def ended(self, report: AttemptReport, now: float, *, by_worker: bool = True) -> None:
        """End a running attempt: its worker is free, its task is done or tried again.

        A report for an attempt that is no longer running changes nothing.

        Args:
            report: What became of it.
            now: The time.
            by_worker: Whether its worker filed the report, who knows what its agent has spent.
        """
        attempt = report.attempt
        worker = self.workers[attempt.worker]
        if worker.attempt != attempt:
            return
        worker.attempt = None
        if worker.state is WorkerState.BUSY:
            self._enter(worker.name, WorkerState.BUSY, WorkerState.IDLE, now)
        self._running -= 1
        self._pay(report, by_worker=by_worker)
        task = self.tasks[attempt.task_id]
        task.reports.append(report)
        if report.trouble is None or self.stopping is not None:
            self._finish(task)
        elif (
            report.trouble.retryable
            and task.retries_left > 0
            # Whoever said fail is not asked until it says otherwise.
            and not any(earlier.said_fail for earlier in task.reports)
        ):
            task.state = task.state.move(TaskState.READY)
            pause = min(BACKOFF * 2 ** (len(task.reports) - 1), BACKOFF_CAP)
            heapq.heappush(self.resting, (now + pause, task.id))
        else:
            self._finish(task)

    def waits(self, why: str, until: float) -> None:
        """Hold back further attempts. Reported by a worker whose provider refuses work."""
        if until > self.held_until:
            self.held, self.held_until = why, until

    def rested(self, now: float) -> None:
        """Make tasks ready whose backoff is over, and end a hold that is. Reported by the clock."""
        if self.held_until <= now:
            self.held, self.held_until = None, 0.0
        while self.resting and self.resting[0][0] <= now:
            _, task_id = heapq.heappop(self.resting)
            if self.tasks[task_id].state is TaskState.READY:
                self.ready.append(task_id)

    def died(self, worker: str, now: float) -> Attempt | None:
        """Take a worker as gone and return the attempt it was on, which is still to be ended.

        Reported by its process's end, or by its connection's.
        """
        gone = self.workers[worker]
        # Workers that were starting together may have died of one thing, the end of their tmux
        # server as a rule: only one that was started since then tells something new.
        fresh = gone.state is WorkerState.STARTING and gone.since >= self._unready_death
        if fresh and not self._startable:
            self.unready_deaths += 1
            self._unready_death = now
        gone.state, gone.since = WorkerState.GONE, now
        return gone.attempt

    def mourned(self, worker: str) -> None:
        """Take a worker as one of which it will be told how it ended."""
        self.unburied.add(worker)

    def buried(self, worker: str, ended: str, tail: str) -> None:
        """Take how a worker ended that is gone, and its last lines."""
        self.unburied.discard(worker)
        self.last_lost = worker, ended, tail

    def settled(self, task_id: str, trouble: Trouble) -> None:
        """End a task that is not running without an attempt. Decided by the schedule."""
        task = self.tasks[task_id]
        self._finish(task, trouble)

    def stopped(self, trouble: Trouble) -> None:
        """Begin no further attempt, and end every task that is not running.

        Reported by the end of the pytest run. Running attempts end as their workers do.
        """
        self.stopping = trouble
        self.ready.clear()
        self.resting.clear()
        for task in list(self.tasks.values()):
            if task.state in (TaskState.READY, TaskState.BLOCKED):
                self._finish(task, trouble)

    def take_results(self) -> list[Result]:
        """Return the results that came since the last call."""
        results, self.results = self.results, []
        return results

    def snapshot(self) -> Snapshot:
        """Return what can be shown of this moment."""
        done = sum(self._verdicts.values())
        return Snapshot(
            queued=len(self.tasks) - done - self._running,
            running=self._running,
            verdicts=dict(self._verdicts),
            retries=self._retries,
            cost_usd=self.spent,
            held=self.held,
            held_until=self.held_until,
            workers=tuple(
                WorkerView(
                    name=worker.name,
                    state=worker.state,
                    since=worker.since,
                    nodeid=(
                        self.tasks[worker.attempt.task_id].spec.nodeid if worker.attempt else None
                    ),
                )
                for worker in self.live_workers
            ),
        )

    def _pay(self, report: AttemptReport, *, by_worker: bool) -> None:
        reserved = self.reserved.pop(report.attempt.name)
        if report.usage is None and by_worker:
            return
        # What nobody can say it has cost is taken to be all that was put aside for it.
        told = report.usage.cost_usd if report.usage is not None else None
        cost = reserved if told is None else told
        self.spent += cost
        self.dearest = max(self.dearest, cost)

    def _enter(self, name: str, state: WorkerState, to: WorkerState, now: float) -> Worker:
        worker = self.workers[name]
        if worker.state is not state:
            raise IllegalMove(f"worker {name}", worker.state, to)
        worker.state, worker.since = to, now
        return worker

    def _has_passed(self, task_id: str) -> bool:
        task = self.tasks.get(task_id)
        if task is None or task.state is not TaskState.DONE or not task.reports:
            return False
        verdict = task.reports[-1].verdict
        # One meaning of pass: a finding as bad as `fail_on` is none.
        return verdict is not None and replace(verdict, fail_on=task.spec.fail_on).passed

    def _finish(self, task: Task, trouble: Trouble | None = None) -> None:
        if task.state is TaskState.READY and task.id in self.ready:
            self.ready.remove(task.id)
        task.state = task.state.move(TaskState.DONE)
        result = Result(
            task_id=task.id,
            spec=task.spec,
            reports=tuple(task.reports),
            trouble_outside=trouble,
            resumed=task.resumed,
        )
        self.results.append(result)
        self._verdicts[result.verdict.verdict if result.verdict else VerdictKind.ERROR] += 1
        for dependent in self._dependents.pop(task.id, []):
            self._need_answered(dependent, task.id)

    def _need_answered(self, task_id: str, need: str) -> None:
        task = self.tasks[task_id]
        if task.state is not TaskState.BLOCKED:
            return
        if not self._has_passed(need):
            self._doom(task_id, need)
            return
        task.unmet.discard(need)
        if not task.unmet:
            task.state = task.state.move(TaskState.READY)
            self.ready.append(task_id)

    def _doom(self, task_id: str, need: str) -> None:
        message = f"needs {self.tasks[need].spec.nodeid}, which did not pass"
        self._finish(self.tasks[task_id], Trouble(cause=Cause.NEEDS, message=message))
