"""The tasks of a run: which wait, which need others, and how each item has ended. Pure."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import TYPE_CHECKING

from pytest_ptc.coordinator.item_tasks import Ballot, NewCheck, Task
from pytest_ptc.coordinator.items import Item, Stage
from pytest_ptc.coordinator.ready import ReadyQueue
from pytest_ptc.model.lifecycle import TaskState
from pytest_ptc.model.result import Attempt, AttemptReport, Kept, Result
from pytest_ptc.model.trouble import Cause, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.verdict import VerdictKind

#: Seconds before the first retry; each further one waits twice as long, up to the cap.
FIRST_BACKOFF_S = 0.5
MAX_BACKOFF_S = 30.0


class Tasks:
    """The tasks of one run. What has ended is in `results` until it is taken."""

    def __init__(self) -> None:
        self._by_id: dict[str, Task] = {}
        self._items: dict[str, Item] = {}
        #: Tasks that may be assigned, first come first served.
        self.ready = ReadyQueue()
        #: Tasks that wait out a backoff, as (when it ends, id).
        self.resting: list[tuple[float, str]] = []
        #: Results of items that nobody has fetched yet.
        self.results: list[Result] = []
        #: How many items are done with each verdict; troubles count as `ERROR`.
        self.verdicts: Counter[VerdictKind] = Counter()
        #: Attempts beyond a task's first.
        self.retries = 0
        #: Tasks at work that are not needed any more.
        self._surplus: list[str] = []
        #: Items whose findings are to be verified.
        self._to_check: list[str] = []
        self._dependents: dict[str, list[str]] = {}
        #: How many tasks have not ended, and how many of each group.
        self.open_tasks = 0
        self._open_in_group: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<Tasks {self.open} open of {len(self)}>"

    def __iter__(self) -> Iterator[Task]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        """Return how many items there are."""
        return len(self._items)

    def __getitem__(self, task_id: str) -> Task:
        return self._by_id[task_id]

    def get(self, task_id: str) -> Task | None:
        """Return the task of this id; None where there is none."""
        return self._by_id.get(task_id)

    def item(self, item_id: str) -> Item | None:
        """Return the item of this id; None where there is none."""
        return self._items.get(item_id)

    @property
    def open(self) -> int:
        """Return how many items have not ended."""
        return len(self) - self.verdicts.total()

    @property
    def open_at_once(self) -> int:
        """Return how many tasks can be at work together at most: one of each group."""
        return self.open_tasks - self._open_in_group.total() + len(self._open_in_group)

    # Items.

    def submit(
        self,
        item_id: str,
        spec: TaskSpec,
        needs: Iterable[str],
        ballots: Sequence[Ballot] | None = None,
    ) -> None:
        """Take an item that waits for a worker, or for others to pass; a failed need ends it.

        Args:
            item_id: Its id.
            spec: What is asked.
            needs: The ids of the items that must pass first.
            ballots: Its votes; one by default.
        """
        unmet = {need for need in needs if need not in self._items or not self._items[need].passed}
        item = Item(item_id, spec, ballots or [Ballot(1, item_id)], unmet)
        self._items[item_id] = item
        for need in unmet:
            self._dependents.setdefault(need, []).append(item_id)
        self._open_votes(item)
        failed = [need for need in unmet if self._has_ended(need)]
        if failed and item.stage is not Stage.DONE:
            self._doom(item, failed[0])

    def keep(self, item_id: str, spec: TaskSpec, kept: Kept) -> None:
        """Take an item that is done: a verdict of an earlier run is kept for it."""
        self.submit(item_id, spec, (), [Ballot(1, item_id, kept)])

    def give_up_item(self, item_id: str, trouble: Trouble) -> list[str]:
        """End an item, and return its tasks at work, which have to end first."""
        item = self._items[item_id]
        item.stopped = trouble
        working = [task.id for task in item.tasks if task.state is TaskState.RUNNING]
        self._end_waiting(item, trouble)
        if not working and item.stage is not Stage.DONE:
            item.give_up(trouble)
            self._take_end(item)
        return working

    def add_checks(self, item_id: str, checks: Sequence[NewCheck]) -> None:
        """Take the tasks of an item's verifiers; those that are kept have ended."""
        item = self._items[item_id]
        if item.stage is Stage.DONE:  # it was stopped meanwhile
            return
        # Kept votes may have been decided before what the item needs has ended.
        state = TaskState.BLOCKED if item.unmet else TaskState.READY
        tasks = [
            (
                check.finding,
                Task(
                    id=check.task_id,
                    spec=check.spec,
                    item=item,
                    state=state,
                    reports=[] if check.kept is None else [check.kept.report],
                    kept_from=None if check.kept is None else check.kept.run_id,
                ),
            )
            for check in checks
        ]
        item.add_checks(tasks)
        for _, task in tasks:
            self._take_task(task)
        if item.stopped is not None:
            self._end_waiting(item, item.stopped)
        self._advance(item)

    def give_up_checks(self, item_id: str, why: str) -> None:
        """Take that no verifier can be asked of an item's findings: they stand."""
        item = self._items[item_id]
        if item.stage is Stage.CHECKING:  # else it was stopped meanwhile
            item.give_up_checks(Trouble(cause=Cause.MACHINERY, message=why))
            self._advance(item)

    def take_to_check(self) -> list[Item]:
        """Return the items whose findings are to be verified, since the last call."""
        ids, self._to_check = self._to_check, []
        return [self._items[item_id] for item_id in ids]

    def take_surplus(self) -> list[str]:
        """Return the tasks at work that are not needed any more, since the last call."""
        surplus, self._surplus = self._surplus, []
        return surplus

    # Attempts.

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
        if not (retry and task.item.stopped is None and task.may_be_retried):
            self._finish(task)
            return
        task.state = task.state.move(TaskState.READY)
        if task.item.holds(task):
            task.state = task.state.move(TaskState.BLOCKED)
            return
        pause = min(FIRST_BACKOFF_S * 2 ** (len(task.reports) - 1), MAX_BACKOFF_S)
        heapq.heappush(self.resting, (now + pause, task.id))

    def rested(self, now: float) -> None:
        """Make tasks ready whose backoff is over."""
        while self.resting and self.resting[0][0] <= now:
            _, task_id = heapq.heappop(self.resting)
            self._queue(self[task_id])

    def give_up(self, task_id: str, trouble: Trouble) -> None:
        """End a task that is not running, without an attempt; one that has ended stays as it is.

        Of several that are given up at once, the first may end the item of the others.
        """
        task = self[task_id]
        if task.state is TaskState.DONE:
            return
        self._drop(task, trouble)
        self._advance(task.item)

    def give_up_ready(self, trouble: Trouble) -> None:
        """End all tasks that wait for a worker. One that is blocked ends with its need."""
        for task in [task for task in self if task.state is TaskState.READY]:
            if task.state is TaskState.READY:
                self.give_up(task.id, trouble)

    def give_up_waiting(self, trouble: Trouble) -> None:
        """End all tasks that are not running, and begin nothing more."""
        self.ready.clear()
        self.resting.clear()
        for item in list(self._items.values()):
            if item.stage is Stage.DONE:
                continue
            item.stopped = item.stopped or trouble
            self._end_waiting(item, trouble)
            if not any(task.state is TaskState.RUNNING for task in item.tasks):
                item.give_up(trouble)
                self._take_end(item)

    def take_results(self) -> list[Result]:
        """Return the results that came since the last call."""
        results, self.results = self.results, []
        return results

    # How an item goes on.

    def _open_votes(self, item: Item) -> None:
        for task in item.next_votes():
            self._take_task(task)
        if any(task.state is TaskState.DONE for task in item.tasks):
            self._advance(item)

    def _take_task(self, task: Task) -> None:
        self._by_id[task.id] = task
        if task.kept_from is not None:
            task.state = task.state.move(TaskState.DONE)
            return
        self.open_tasks += 1
        if task.spec.group is not None:
            self._open_in_group[task.spec.group] += 1
        if task.state is TaskState.READY:
            self._queue(task)

    def _finish(self, task: Task) -> None:
        self._drop(task, None)
        self._advance(task.item)

    def _drop(self, task: Task, trouble: Trouble | None) -> None:
        """End a task, whatever its item makes of that."""
        if task.state is TaskState.READY:
            self._unqueue(task)
        task.trouble = trouble
        task.state = task.state.move(TaskState.DONE)
        self.open_tasks -= 1
        if (group := task.spec.group) is not None:
            self._open_in_group[group] -= 1
            if not self._open_in_group[group]:
                del self._open_in_group[group]

    def _queue(self, task: Task) -> None:
        self.ready.append(task.id, task.spec.group, task.spec.budget_usd)

    def _unqueue(self, task: Task) -> None:
        if task.id in self.ready:
            self.ready.remove(task.id)
        elif any(entry[1] == task.id for entry in self.resting):
            self.resting = [entry for entry in self.resting if entry[1] != task.id]
            heapq.heapify(self.resting)

    def _end_waiting(self, item: Item, trouble: Trouble) -> None:
        for task in item.tasks:
            if task.state in (TaskState.READY, TaskState.BLOCKED):
                self._drop(task, trouble)

    def _advance(self, item: Item) -> None:
        """Have an item go on, after one of its tasks has ended or its checks are known."""
        if item.stage is Stage.DONE:
            return
        rounds = item.rounds
        match item.next_stage():
            case Stage.DONE:
                self._take_end(item)
            case Stage.CHECKING if item.rounds > rounds:
                self._hold_votes(item)
                self._to_check.append(item.id)
            case Stage.VOTING if item.stopped is None:
                for task in item.held_votes():
                    self._make_ready(task)
                for task in item.next_votes():
                    self._take_task(task)

    def _hold_votes(self, item: Item) -> None:
        for task in item.votes.values():
            if task.state is TaskState.READY and item.holds(task):
                self._unqueue(task)
                task.state = task.state.move(TaskState.BLOCKED)

    def _make_ready(self, task: Task) -> None:
        task.state = task.state.move(TaskState.READY)
        self._queue(task)

    def _spare(self, item: Item) -> None:
        """End the votes that are not needed any more."""
        for task in item.votes.values():
            if task.state is TaskState.RUNNING:
                self._surplus.append(task.id)
            elif task.state is not TaskState.DONE:
                message = "the other votes had decided"
                self._drop(task, Trouble(cause=Cause.DECIDED, message=message))

    def _take_end(self, item: Item) -> None:
        result = item.result
        assert result is not None, "an item that is done has a result"
        self._spare(item)
        self.results.append(result)
        self.verdicts[result.kind] += 1
        for dependent in self._dependents.pop(item.id, []):
            self._need_ended(self._items[dependent], item)

    def _has_ended(self, item_id: str) -> bool:
        item = self._items.get(item_id)
        return item is not None and item.stage is Stage.DONE

    def _need_ended(self, item: Item, need: Item) -> None:
        if item.stage is Stage.DONE:
            return
        if not need.passed:
            self._doom(item, need.id)
            return
        item.unmet.discard(need.id)
        if item.unmet:
            return
        # Votes of an item that is being checked wait for that.
        waiting = item.votes.values() if item.stage is Stage.VOTING else [t for _, t in item.checks]
        for task in waiting:
            if task.state is TaskState.BLOCKED:
                self._make_ready(task)

    def _doom(self, item: Item, need: str) -> None:
        message = f"needs {self._items[need].spec.nodeid}, which did not pass"
        self.give_up_item(item.id, Trouble(cause=Cause.NEEDS, message=message))
