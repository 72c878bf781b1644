"""The tasks of a run: which wait, which need others, and how each has ended. Pure."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_ptc.coordinator.ready import ReadyQueue
from pytest_ptc.model.lifecycle import TaskState
from pytest_ptc.model.result import Attempt, AttemptReport, Kept, Result
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import VerdictKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_ptc.model.task import TaskSpec

#: Seconds before the first retry; each further one waits twice as long, up to the cap.
FIRST_BACKOFF_S = 0.5
MAX_BACKOFF_S = 30.0


@dataclass(kw_only=True, slots=True)
class Task:
    """One task on the board.

    Args:
        id: Its id on the shared list.
        spec: What is asked.
        state: Where it stands.
        unmet: The ids of tasks that must still pass before it is ready.
        reports: How its attempts have ended, in order.
        kept_from: The earlier run whose verdict is kept for it.
    """

    id: str
    spec: TaskSpec
    state: TaskState
    unmet: set[str]
    reports: list[AttemptReport] = field(default_factory=list)
    kept_from: str | None = None

    @property
    def retries_left(self) -> int:
        """Return how many more attempts may end in an infrastructure error."""
        return self.spec.retries + 1 - len(self.reports)

    @property
    def passed(self) -> bool:
        """Tell whether it is done with a pass that has no finding at or above its `fail_on`."""
        if self.state is not TaskState.DONE or not self.reports:
            return False
        verdict = self.reports[-1].verdict
        return verdict is not None and replace(verdict, fail_on=self.spec.fail_on).passed

    @property
    def may_be_retried(self) -> bool:
        """Tell whether its last attempt may be followed by another."""
        last = self.reports[-1]
        return (
            last.trouble is not None
            and last.trouble.retryable
            and self.retries_left > 0
            # An agent that said fail is not asked again until it says otherwise.
            and not any(report.said_fail for report in self.reports)
        )


class Tasks:
    """The tasks of one run. What has ended is in `results` until it is taken."""

    def __init__(self) -> None:
        self._by_id: dict[str, Task] = {}
        #: Tasks that may be assigned, first come first served.
        self.ready = ReadyQueue()
        #: Tasks that wait out a backoff, as (when it ends, id).
        self.resting: list[tuple[float, str]] = []
        #: Results that nobody has fetched yet.
        self.results: list[Result] = []
        #: How many are done with each verdict; troubles count as `ERROR`.
        self.verdicts: Counter[VerdictKind] = Counter()
        #: Attempts beyond a task's first.
        self.retries = 0
        self._dependents: dict[str, list[str]] = {}
        #: How many of each group have not ended.
        self._open_in_group: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<Tasks {self.open} open of {len(self)}>"

    def __iter__(self) -> Iterator[Task]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def __getitem__(self, task_id: str) -> Task:
        return self._by_id[task_id]

    def get(self, task_id: str) -> Task | None:
        """Return the task of this id; None where there is none."""
        return self._by_id.get(task_id)

    @property
    def open(self) -> int:
        """Return how many have not ended."""
        return len(self) - self.verdicts.total()

    @property
    def open_at_once(self) -> int:
        """Return how many of those can be at work together at most: one of each group."""
        return self.open - self._open_in_group.total() + len(self._open_in_group)

    def submit(self, task_id: str, spec: TaskSpec, needs: Iterable[str]) -> None:
        """Take a task that waits for a worker, or for others to pass; a failed need ends it."""
        unmet = {need for need in needs if need not in self._by_id or not self[need].passed}
        state = TaskState.BLOCKED if unmet else TaskState.READY
        self._by_id[task_id] = Task(id=task_id, spec=spec, state=state, unmet=unmet)
        if spec.group is not None:
            self._open_in_group[spec.group] += 1
        for need in unmet:
            self._dependents.setdefault(need, []).append(task_id)
        if not unmet:
            self.ready.append(task_id, spec.group)
            return
        failed = [need for need in unmet if self[need].state is TaskState.DONE]
        if failed:
            self._doom(task_id, failed[0])

    def keep(self, task_id: str, spec: TaskSpec, kept: Kept) -> None:
        """Take a task that is done: a verdict of an earlier run is kept for it."""
        task = Task(
            id=task_id,
            spec=spec,
            state=TaskState.READY,
            unmet=set(),
            reports=[kept.report],
            kept_from=kept.run_id,
        )
        self._by_id[task_id] = task
        self._finish(task)

    def begin(self, task_id: str, worker: str) -> Attempt:
        """Begin an attempt at a ready task."""
        task = self[task_id]
        task.state = task.state.move(TaskState.RUNNING)
        self.ready.remove(task_id)
        attempt = Attempt(task_id=task_id, number=len(task.reports) + 1, worker=worker)
        self.retries += attempt.number > 1
        return attempt

    def end(self, report: AttemptReport, now: float, *, retry: bool) -> None:
        """End an attempt: its task is done, or is tried again after a pause.

        Args:
            report: What became of the attempt.
            now: The time.
            retry: Whether there may be another attempt.
        """
        task = self[report.attempt.task_id]
        task.reports.append(report)
        if not (retry and task.may_be_retried):
            self._finish(task)
            return
        task.state = task.state.move(TaskState.READY)
        pause = min(FIRST_BACKOFF_S * 2 ** (len(task.reports) - 1), MAX_BACKOFF_S)
        heapq.heappush(self.resting, (now + pause, task.id))

    def rested(self, now: float) -> None:
        """Make tasks ready whose backoff is over."""
        while self.resting and self.resting[0][0] <= now:
            _, task_id = heapq.heappop(self.resting)
            self.ready.append(task_id, self[task_id].spec.group)

    def give_up(self, task_id: str, trouble: Trouble) -> None:
        """End a task that is not running, without an attempt."""
        self.resting = [entry for entry in self.resting if entry[1] != task_id]
        heapq.heapify(self.resting)
        self._finish(self[task_id], trouble)

    def give_up_ready(self, trouble: Trouble) -> None:
        """End all tasks that wait for a worker. One that is blocked ends with its need."""
        self.resting.clear()
        for task in [task for task in self if task.state is TaskState.READY]:
            self._finish(task, trouble)

    def give_up_waiting(self, trouble: Trouble) -> None:
        """End all tasks that are not running."""
        self.ready.clear()
        self.resting.clear()
        for task in list(self):
            if task.state in (TaskState.READY, TaskState.BLOCKED):
                self._finish(task, trouble)

    def take_results(self) -> list[Result]:
        """Return the results that came since the last call."""
        results, self.results = self.results, []
        return results

    def _finish(self, task: Task, trouble: Trouble | None = None) -> None:
        if task.state is TaskState.READY and task.id in self.ready:
            self.ready.remove(task.id)
        task.state = task.state.move(TaskState.DONE)
        self._leave_group(task)
        result = Result(
            task_id=task.id,
            spec=task.spec,
            reports=tuple(task.reports),
            trouble_outside=trouble,
            resumed=task.kept_from,
        )
        self.results.append(result)
        self.verdicts[result.verdict.counts_as if result.verdict else VerdictKind.ERROR] += 1
        for dependent in self._dependents.pop(task.id, []):
            self._need_ended(dependent, task)

    def _leave_group(self, task: Task) -> None:
        group = task.spec.group
        # A kept task has never been open.
        if group is not None and task.kept_from is None:
            self._open_in_group[group] -= 1
            if not self._open_in_group[group]:
                del self._open_in_group[group]

    def _need_ended(self, task_id: str, need: Task) -> None:
        task = self[task_id]
        if task.state is not TaskState.BLOCKED:
            return
        if not need.passed:
            self._doom(task_id, need.id)
            return
        task.unmet.discard(need.id)
        if not task.unmet:
            task.state = task.state.move(TaskState.READY)
            self.ready.append(task_id, task.spec.group)

    def _doom(self, task_id: str, need: str) -> None:
        message = f"needs {self[need].spec.nodeid}, which did not pass"
        self._finish(self[task_id], Trouble(cause=Cause.NEEDS, message=message))
