"""The board: every task and every worker of a run, and what events do to them.

Pure: the time is an argument; no input or output. Each event is one method; its docstring says
who reports it and what follows. `schedule.py` decides what to do next, from a view of the board.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from pytest_ptc.coordinator.money import Money
from pytest_ptc.coordinator.tasks import Tasks
from pytest_ptc.coordinator.view import BoardView, ReadyTask
from pytest_ptc.coordinator.workers import Loss, Worker, Workers
from pytest_ptc.model.lifecycle import Snapshot, WorkerState, WorkerView

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_ptc.coordinator.item_tasks import Ballot
    from pytest_ptc.model.result import Attempt, AttemptReport, Kept, Result
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.trouble import Trouble

#: So many tasks of one limit are on a view at least: of many that are too dear, as many are given
#: up at once.
_AT_ONCE = 50


class Board:
    """All tasks and workers of one run, and its money."""

    def __init__(self, began: float = 0.0) -> None:
        #: When the run's first task was submitted, on the clock of all events.
        self.began = began
        self.tasks = Tasks()
        self.workers = Workers()
        self.money = Money()
        #: Why nothing more is begun, once that is so.
        self.stopping: Trouble | None = None
        #: Why no task is assigned, such as `rate limit`, and until when.
        self.held: str | None = None
        self.held_until = 0.0
        #: What people are told of where workers live, each sentence once.
        self.notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Board {self.snapshot()!r}>"

    def attempt_of(self, worker: str) -> Attempt | None:
        """Return the attempt that a worker is on, or that is still to be ended for it."""
        on_board = self.workers.get(worker)
        return on_board.attempt if on_board is not None else None

    def is_at(self, attempt: Attempt) -> bool:
        """Tell whether an attempt's worker lives and the attempt has not ended."""
        worker = self.workers.get(attempt.worker)
        return worker is not None and worker.state is WorkerState.BUSY and worker.attempt == attempt

    def next_spec(self, worker: str) -> TaskSpec | None:
        """Return the task that a starting worker will probably get."""
        place = [*self.workers.starting].index(worker) + len(self.workers.idle)
        ready = self.tasks.ready
        # Where all wait for their group, one of them will be next.
        probable = ready.startable(place + 1, self.groups_at_work) or ready.startable(1, ())
        return self.tasks[probable[-1]].spec if probable else None

    @property
    def groups_at_work(self) -> frozenset[str]:
        """Return the groups of which a task is at work.

        It is from its assignment until its report is filed; that of a lost worker until that one is
        buried, too, because its agent may live until then.
        """
        return self.workers.groups_at_work

    def submitted(
        self,
        item_id: str,
        spec: TaskSpec,
        needs: Iterable[str] = (),
        ballots: Sequence[Ballot] | None = None,
    ) -> None:
        """Take a new item; `needs` are the ids of items that must pass first.

        Reported by the caller of `Coordinator.submit`. A need that has failed already ends it.
        """
        stopping = self.stopping
        self.tasks.submit(item_id, spec, needs if stopping is None else (), ballots)
        if stopping is not None and (item := self.tasks.item(item_id)) and item.result is None:
            self.tasks.give_up_item(item_id, stopping)

    def kept(self, item_id: str, spec: TaskSpec, kept: Kept) -> None:
        """Take an item that is done: a verdict of an earlier run is kept for it."""
        self.tasks.keep(item_id, spec, kept)

    def launched(self, worker: str, now: float) -> None:
        """Take a worker that is asked a place for. Decided by the schedule."""
        self.workers.launch(worker, now)

    def placed(self, worker: str, node: str | None, now: float) -> None:
        """Take a worker that has a place, on this node; it is ready when it has called in.

        Reported by the crew, and late perhaps: one that is gone stays gone.
        """
        found = self.workers.get(worker)
        if found is not None and found.state is WorkerState.WAITING:
            self.workers.place(worker, node, now)

    def noted(self, text: str) -> None:
        """Take what people are to be told of where workers live. Reported by the crew."""
        if text not in self.notes:
            self.notes = (*self.notes, text)

    def shut(self, why: str) -> None:
        """Launch no worker any more. Reported by the crew: there will be no place again."""
        self.workers.shut = self.workers.shut or why

    def called_in(self, worker: str, now: float) -> None:
        """Take a started worker as idle. Reported by the worker's first message."""
        self.workers.call_in(worker, now)

    def assigned(self, task_id: str, worker: str, now: float) -> Attempt:
        """Give a ready task to an idle worker and return the attempt that this begins."""
        attempt = self.tasks.begin(task_id, worker)
        spec = self.tasks[task_id].spec
        self.workers.give(attempt, now, timeout=spec.timeout, group=spec.group)
        self.money.reserve(attempt.name, spec.budget_usd)
        return attempt

    def handed_over(self, attempt: Attempt, now: float) -> None:
        """Take an attempt as given to its worker: its time begins."""
        self.workers.hand_over(attempt, now)

    def begun(self, worker: str) -> None:
        """Take a worker as at work on its attempt. Reported by the worker."""
        self.workers.begin(worker)

    def ended(self, report: AttemptReport, now: float, *, by_worker: bool = True) -> None:
        """End a running attempt: its worker is free, its task is done or tried again.

        A report for an attempt that is no longer running changes nothing.

        Args:
            report: What became of it.
            now: The time.
            by_worker: Whether its worker filed the report, who knows what its agent has spent.
        """
        node = self._node_of(report.attempt.worker)
        if self.workers.end(report.attempt, now):
            if node is not None:
                report = replace(report, attempt=replace(report.attempt, node=node))
            self.money.pay(report, by_worker=by_worker)
            self.tasks.end(report, now, retry=self.stopping is None)

    def waits(self, why: str, until: float) -> None:
        """Hold back further attempts. Reported by a worker whose provider refuses work."""
        if until > self.held_until:
            self.held, self.held_until = why, until

    def rested(self, now: float) -> None:
        """Make tasks ready whose backoff is over, and end a hold that is. Reported by the clock."""
        if self.held_until <= now:
            self.held, self.held_until = None, 0.0
        self.tasks.rested(now)

    def died(self, worker: str, now: float) -> Attempt | None:
        """Take a worker as gone and return the attempt it was on, which is still to be ended.

        Reported by the end of its process or of its connection. How it ended is reported later, to
        `buried`.
        """
        return self.workers.die(worker, now)

    def buried(self, worker: str, ended: str, tail: str) -> None:
        """Take how a gone worker ended, and its last lines."""
        self.workers.bury(Loss(worker, ended, tail))

    def gave_up(self, task_id: str, trouble: Trouble) -> None:
        """End a task that is not running, without an attempt. Decided by the schedule."""
        self.tasks.give_up(task_id, trouble)

    def gave_up_ready(self, trouble: Trouble) -> None:
        """End all tasks that wait for a worker. Decided by the schedule."""
        self.tasks.give_up_ready(trouble)

    def stopped(self, trouble: Trouble) -> None:
        """Begin no further attempt, and end every task that is not running.

        Reported by the end of the pytest run. Running attempts end as their workers do.
        """
        self.stopping = trouble
        self.tasks.give_up_waiting(trouble)

    def take_results(self) -> list[Result]:
        """Return the results that came since the last call."""
        return self.tasks.take_results()

    def view(self, *, priced: bool = False) -> BoardView:
        """Return what the schedule decides on.

        Its ready tasks are as many as there are idle workers, without those that wait for their
        group.

        Args:
            priced: Whether the run has a budget, by which some of those may be left out: then there
                are as many of each limit.
        """
        idle = len(self.workers.idle)
        queue, groups = self.tasks.ready, self.groups_at_work
        if priced:
            ready = queue.candidates(max(idle, _AT_ONCE), groups) if idle else []
        else:
            ready = queue.startable(idle, groups)
        return BoardView(
            began=self.began,
            stopping=self.stopping is not None,
            open_tasks=self.tasks.open_tasks,
            open_behind=self.tasks.open_tasks - self.tasks.open_at_once,
            ready=tuple(
                ReadyTask(task_id, self._to_reserve(task_id), queue.group_of(task_id))
                for task_id in ready
            ),
            waiting=len(self.tasks.ready) + len(self.tasks.resting),
            next_rested=self.tasks.resting[0][0] if self.tasks.resting else None,
            held_until=self.held_until if self.held is not None else None,
            groups_at_work=groups,
            live=len(self.workers) - self.workers.count(WorkerState.GONE),
            starting=self.workers.count(WorkerState.WAITING, WorkerState.STARTING),
            idle=tuple(islice(self.workers.idle, max(1, len(ready)))),
            deadline=self.workers.deadline,
            launches=self.workers.launches,
            unplaced=self.workers.unplaced,
            launch_at=self.workers.pause_until,
            shut=self.workers.shut,
            unready_deaths=self.workers.unready_deaths,
            awaits_burial=self.workers.awaits_burial,
            last_lost=self.workers.last_lost,
            running=len(self.workers.running),
            spent_usd=self.money.spent,
            reserved_usd=sum(self.money.reserved.values()),
        )

    def snapshot(self) -> Snapshot:
        """Return what can be shown of this moment."""
        at_work = (self.tasks[attempt.task_id].item for attempt in self.workers.running)
        running = len({item.id for item in at_work if item.result is None})
        return Snapshot(
            queued=self.tasks.open - running,
            behind_group=self.tasks.ready.waiting_for(self.groups_at_work),
            running=running,
            verdicts=dict(self.tasks.verdicts),
            retries=self.tasks.retries,
            cost_usd=self.money.spent,
            held=self.held,
            held_until=self.held_until,
            notes=self.notes,
            workers=tuple(
                WorkerView(
                    name=worker.name,
                    state=worker.state,
                    since=worker.since,
                    nodeid=spec.nodeid if (spec := self._spec_of(worker)) is not None else None,
                    node=worker.node,
                )
                for worker in self.workers.live
            ),
        )

    def _node_of(self, worker: str) -> str | None:
        found = self.workers.get(worker)
        return found.node if found is not None else None

    def _to_reserve(self, task_id: str) -> float:
        return self.money.to_reserve(self.tasks[task_id].spec.budget_usd)

    def _spec_of(self, worker: Worker) -> TaskSpec | None:
        return None if worker.attempt is None else self.tasks[worker.attempt.task_id].spec
