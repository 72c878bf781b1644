"""Never two tasks of one group at once, whatever happens, and every task has its turn."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.coordinator.board import Board
from pytest_ptc.coordinator.ready import ReadyQueue
from pytest_ptc.coordinator.schedule import (
    Action,
    Assign,
    GiveUp,
    Launch,
    Limits,
    plan,
)
from pytest_ptc.coordinator.view import BoardView, ReadyTask
from pytest_ptc.model.lifecycle import TaskState, WorkerState
from pytest_ptc.model.result import Attempt, AttemptReport, Kept, Usage
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PASS = Verdict(verdict=VerdictKind.PASS, summary="fine")
FAIL = Verdict(verdict=VerdictKind.FAIL, summary="broken")
CRASH = Trouble(cause=Cause.WORKER_LOST, message="it died")


class Run:
    """A run without processes: workers start, end and are buried when a test says so."""

    def __init__(self, workers: int, budget: float | None = None) -> None:
        self.limits = Limits(workers=workers, max_worker_restart=1000, budget_usd=budget)
        self.board = Board()
        self.now = 0.0
        self.order: list[str] = []
        #: The attempt that an agent is at work on, by its worker: until the worker reports the end,
        #: or is buried.
        self.agents: dict[str, Attempt] = {}
        #: Workers that are gone and not buried.
        self.graves: list[str] = []

    def submit(
        self,
        name: str,
        group: str | None = None,
        *,
        retries: int = 0,
        needs: Sequence[str] = (),
        limit: float | None = None,
    ) -> None:
        spec = TaskSpec(
            nodeid=name,
            prompt="p",
            timeout=1e6,
            cwd="/",
            group=group,
            retries=retries,
            budget_usd=limit,
        )
        self.board.submitted(name, spec, needs)

    def turn(self) -> list[Action]:
        """Do what the schedule says until it says nothing more."""
        done: list[Action] = []
        self.board.rested(self.now)
        while actions := plan(self._view(), self.limits, self.now):
            for action in actions:
                self._act(action)
            done += actions
        return done

    def _view(self) -> BoardView:
        return self.board.view(priced=self.limits.budget_usd is not None)

    def _act(self, action: Action) -> None:
        match action:
            case Launch(worker):
                self.board.launched(worker, self.now)
                self.board.placed(worker, None, self.now)
            case Assign(task_id, worker):
                group = self.board.tasks[task_id].spec.group
                at_work = [self.board.tasks[a.task_id].spec.group for a in self.agents.values()]
                assert group is None or group not in at_work
                self.agents[worker] = self.board.assigned(task_id, worker, self.now)
                self.board.begun(worker)
                self.order.append(task_id)
            case GiveUp(task_id, trouble):
                self.board.gave_up(task_id, trouble)
            case _:
                raise AssertionError(f"not here: {action}")

    def start_all(self) -> None:
        """Have all workers call in that are starting."""
        for worker in [*self.board.workers.starting]:
            self.board.called_in(worker, self.now)

    def end(self, worker: str, how: Verdict | Trouble = PASS) -> None:
        """Have a worker report the end of its attempt, which is filed."""
        self._file(self.agents.pop(worker), how)

    def lose(self, worker: str) -> None:
        """See that a worker has gone; its agent may live on."""
        self.board.died(worker, self.now)
        self.graves.append(worker)

    def bury(self, worker: str) -> None:
        """End what a worker has left."""
        self.graves.remove(worker)
        self.board.buried(worker, "it died", "")
        self.agents.pop(worker, None)
        attempt = self.board.attempt_of(worker)
        if attempt is not None:
            self._file(attempt, CRASH)

    def file_late(self, worker: str) -> None:
        """File the end that a lost worker reported, before it is buried."""
        attempt = self.board.attempt_of(worker)
        if attempt is not None:
            self._file(attempt, PASS)

    def _file(self, attempt: Attempt, how: Verdict | Trouble) -> None:
        verdict, trouble = (how, None) if isinstance(how, Verdict) else (None, how)
        report = AttemptReport(
            attempt=attempt,
            seconds=1,
            verdict=verdict,
            trouble=trouble,
            usage=Usage(cost_usd=0.25),
        )
        self.board.ended(report, self.now)

    @property
    def busy(self) -> list[str]:
        """Return the workers that are at work and live."""
        return [w.name for w in self.board.workers.live if w.state is WorkerState.BUSY]


T = TypeVar("T")

ENDS: tuple[Verdict | Trouble, ...] = (PASS, PASS, FAIL, CRASH)

GROUPS = (None, None, "users", "orders", "files")


class Chance:
    """Lets a run go on in an order that nobody would have thought of."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data
        self.run = Run(self._one_of([1, 2, 3, 4]), self._one_of([None, None, 1000.0]))
        self.count = 0

    def _one_of(self, values: Sequence[T]) -> T:
        return self._data.draw(st.sampled_from(values))

    def move(self) -> None:
        """Do one thing, of those that can happen now."""
        run = self.run
        moves: list[Callable[[], None]] = [self._submit, run.start_all, self._rest]
        if run.busy:
            moves += [
                lambda: run.end(self._one_of(run.busy), self._one_of(ENDS)),
                lambda: run.end(self._one_of(run.busy)),
                lambda: run.lose(self._one_of(run.busy)),
            ]
        if run.graves:
            moves += [
                lambda: run.bury(self._one_of(run.graves)),
                lambda: run.file_late(self._one_of(run.graves)),
            ]
        self._one_of(moves)()
        run.turn()

    def _submit(self) -> None:
        needs = [str(self.count - 1)] * (self.count > 0 and self._one_of([False, True]))
        self.run.submit(
            str(self.count),
            self._one_of(GROUPS),
            retries=1,
            needs=needs,
            limit=self._one_of([None, 0.5]),
        )
        self.count += 1

    def _rest(self) -> None:
        self.run.start_all()
        self.run.now += 30.0

    def bring_to_end(self) -> None:
        """Have all go well: then it ends within a round for each attempt that is left."""
        for _ in range(3 * self.count):
            for worker in list(self.run.graves):
                self.run.bury(worker)
            for worker in self.run.busy:
                self.run.end(worker)
            self._rest()
            self.run.turn()


@given(data=st.data(), steps=st.integers(1, 40))
def test_no_order_of_events_has_two_of_a_group_at_work(data: st.DataObject, steps: int) -> None:
    """And every task has its turn; `Run` looks at each assignment."""
    chance = Chance(data)
    run, board = chance.run, chance.run.board
    for _ in range(steps):
        chance.move()
        ready = [board.tasks[task_id].spec.group for task_id in board.tasks.ready]
        busy = board.groups_at_work
        assert board.snapshot().behind_group == sum(group in busy for group in ready)
        if board.workers.idle:
            assert all(group in busy for group in ready), "it could be at work"
    chance.bring_to_end()
    assert board.tasks.open == board.tasks.open_at_once == 0
    unmet = {r.task_id for r in board.take_results() if r.trouble_outside is not None}
    assert {*run.order} | unmet == {str(number) for number in range(chance.count)}


@given(
    workers=st.integers(1, 4),
    given_groups=st.lists(st.sampled_from(GROUPS), min_size=1, max_size=12),
)
def test_tasks_begin_in_their_order_but_for_those_that_wait_for_their_group(
    workers: int, given_groups: list[str | None]
) -> None:
    """What begins is always the first that may, and without groups that is the order itself."""
    run = Run(workers)
    left = list(range(len(given_groups)))
    for number in left:
        run.submit(str(number), given_groups[number])
    run.turn()
    run.start_all()
    while left:
        before, at_work = len(run.order), {*run.board.groups_at_work}
        run.turn()
        for begun in map(int, run.order[before:]):
            first = next(
                n for n in left if given_groups[n] is None or given_groups[n] not in at_work
            )
            assert begun == first
            left.remove(begun)
            group = given_groups[begun]
            at_work |= {group} if group is not None else set()
        run.end(run.busy[0])
    if not any(given_groups):
        assert run.order == [str(number) for number in range(len(given_groups))]


def test_members_of_a_group_take_turns_and_others_do_not_wait() -> None:
    """A free worker gets the next task that may begin."""
    run = Run(3)
    for name, group in (("a", "g"), ("b", "g"), ("c", None), ("d", "h")):
        run.submit(name, group)
    run.turn()
    run.start_all()
    run.turn()
    assert run.order == ["a", "c", "d"]
    run.end("w2")
    assert run.turn() == []
    assert run.board.snapshot().behind_group == 1
    run.end("w1")
    run.turn()
    assert run.order == ["a", "c", "d", "b"]
    assert run.board.snapshot().behind_group == 0


def test_no_more_workers_start_than_can_be_at_work_at_once() -> None:
    """Five tasks of one group and one of none keep two workers busy, however many there may be."""
    run = Run(5)
    for number in range(5):
        run.submit(str(number), "g")
    run.submit("other")
    assert run.turn() == [Launch("w1"), Launch("w2")]


def test_a_task_that_is_tried_again_does_not_hold_its_group_meanwhile() -> None:
    """While it rests, another of the group begins; then it waits like any other."""
    run = Run(1)
    run.submit("a", "g", retries=1)
    run.submit("b", "g")
    run.turn()
    run.start_all()
    run.turn()
    run.end("w1", CRASH)
    run.turn()
    run.now += 30.0
    run.turn()
    assert run.order == ["a", "b"]
    run.end("w1")
    run.turn()
    assert run.order == ["a", "b", "a"]


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("budget", [None, 10.0])
def test_a_lost_worker_holds_its_group_until_it_is_buried(
    budget: float | None, *, late: bool
) -> None:
    """Its agent may live until then, also where its report was filed before."""
    run = Run(2, budget)
    run.submit("a", "g")
    run.submit("b", "g", limit=1.0)
    run.submit("c", limit=1.0)
    run.turn()
    run.start_all()
    run.turn()
    run.lose("w1")
    run.end("w2")
    if late:
        run.file_late("w1")
    run.turn()
    assert run.order == ["a", "c"]
    run.bury("w1")
    run.turn()
    assert run.order == ["a", "c", "b"]


def test_a_task_may_need_another_of_its_group() -> None:
    """The one that it needs has ended before it is ready."""
    run = Run(2)
    run.submit("a", "g")
    run.submit("b", "g", needs=["a"])
    run.turn()
    run.start_all()
    run.turn()
    run.end("w1")
    run.turn()
    assert run.order == ["a", "b"]


def test_a_kept_task_holds_nothing() -> None:
    """It was at work in another run."""
    run = Run(1)
    spec = TaskSpec(nodeid="a", prompt="p", timeout=1, cwd="/", group="g")
    report = AttemptReport(
        attempt=Attempt(task_id="kept 1", number=1, worker="w1"), seconds=1, verdict=PASS
    )
    run.board.kept("kept 1", spec, Kept(run_id="r", report=report))
    assert run.board.tasks.open == run.board.tasks.open_at_once == 0
    run.submit("b", "g")
    run.turn()
    run.start_all()
    run.turn()
    assert run.order == ["b"]


@pytest.mark.parametrize("end", ["give up", "give up ready", "stop"])
def test_a_task_that_ends_without_an_attempt_leaves_its_group(end: str) -> None:
    """Whatever ended it."""
    run = Run(1)
    run.submit("a", "g")
    run.submit("b", "g")
    match end:
        case "give up":
            run.board.gave_up("a", CRASH)
            run.board.gave_up("b", CRASH)
        case "give up ready":
            run.board.gave_up_ready(CRASH)
        case "stop":
            run.board.stopped(CRASH)
    assert run.board.tasks.open == run.board.tasks.open_at_once == 0
    assert len(run.board.tasks.ready) == run.board.tasks.ready.waiting_for(["g"]) == 0
    assert {task.state for task in run.board.tasks} == {TaskState.DONE}


def test_a_cheap_task_that_waits_for_its_group_is_not_given_up() -> None:
    """A group that is at work will be free, though no attempt is counted as running any more."""
    view = BoardView(
        open_tasks=1,
        waiting=1,
        launches=1,
        ready=(ReadyTask("b", 9.0, "g"),),
        groups_at_work=frozenset({"g"}),
        live=1,
        idle=("w2",),
    )
    limits = Limits(workers=1, max_worker_restart=0, budget_usd=10.0)
    assert plan(view, limits, 0.0) == []


def test_of_two_tasks_of_a_group_on_one_view_one_begins() -> None:
    """The schedule decides it, whatever the view holds; one that is too dear takes no turn."""
    idle = ("w1", "w2", "w3")
    ready = (
        ReadyTask("dear", 9.0, "g"),
        ReadyTask("a", 1.0, "g"),
        ReadyTask("b", 1.0, "g"),
        ReadyTask("c", 1.0),
    )
    view = BoardView(open_tasks=4, waiting=4, launches=3, ready=ready, live=3, idle=idle)
    with_budget = Limits(workers=3, max_worker_restart=0, budget_usd=5.0)
    assert plan(view, with_budget, 0.0) == [Assign("a", "w1"), Assign("c", "w2")]
    without = Limits(workers=3, max_worker_restart=0)
    assert plan(view, without, 0.0) == [Assign("dear", "w1"), Assign("c", "w2")]


class Counted(ReadyQueue):
    """A queue that counts what is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.looked_at: Counter[str] = Counter()

    def group_of(self, task_id: str) -> str | None:
        self.looked_at[task_id] += 1
        return super().group_of(task_id)


def test_only_tasks_that_wait_for_their_group_are_looked_at_beside_those_that_begin() -> None:
    """Without groups, or with all that is left behind one, a look at a long queue costs nothing."""
    queue = Counted()
    for number in range(1000):
        queue.append(f"plain {number}", None)
    assert queue.startable(2, ()) == ["plain 0", "plain 1"]
    assert queue.looked_at.total() == 2
    queue = Counted()
    for number in range(1000):
        queue.append(f"g {number}", "g")
    assert queue.startable(2, {"g"}) == []
    assert queue.looked_at.total() == 0
    assert queue.startable(2, ()) == ["g 0"]
    assert queue.looked_at.total() == 1
    queue.append("last", None)
    assert queue.startable(2, {"g"}) == ["last"]
    queue.remove("last")
    queue.remove("g 1")
    assert queue.waiting_for(["g"]) == 999
