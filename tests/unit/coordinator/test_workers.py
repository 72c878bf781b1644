"""What is known of all workers together agrees with what is known of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.coordinator.deadlines import START_TIMEOUT_S, STUCK_AFTER_S, deadline_of
from pytest_ptc.coordinator.workers import MAX_VOID_DEADLINES, Loss, Workers
from pytest_ptc.model.lifecycle import WorkerState
from pytest_ptc.model.result import Attempt

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_ptc.coordinator.workers import Worker


class World:
    """Workers that go through what they may go through, in any order."""

    def __init__(self) -> None:
        self.workers = Workers()
        self.now = 0.0
        self.tasks = 0

    def moves(self) -> list[Callable[[], object]]:
        """Return all that may happen next."""
        moves: list[Callable[[], object]] = [self._launch]
        for worker in self.workers:
            moves += self._moves_of(worker)
        return moves

    def _launch(self) -> None:
        self.workers.launch(f"w{self.workers.launches + 1}", self.now)

    def _moves_of(self, worker: Worker) -> list[Callable[[], object]]:
        workers, name, attempt = self.workers, worker.name, worker.attempt
        moves: list[Callable[[], object]] = []
        match worker.state:
            case WorkerState.WAITING:
                moves.append(lambda: workers.place(name, None, self.now))
            case WorkerState.STARTING:
                moves.append(lambda: workers.call_in(name, self.now))
            case WorkerState.IDLE:
                moves.append(lambda: self._give(name))
            case WorkerState.BUSY if attempt is not None:
                moves.append(lambda: workers.hand_over(attempt, self.now))
                moves.append(lambda: workers.begin(name))
        if attempt is not None:
            moves.append(lambda: workers.end(attempt, self.now))
        if worker.state is not WorkerState.GONE:
            moves.append(lambda: workers.die(name, self.now))
        elif not worker.buried:
            moves.append(lambda: workers.bury(Loss(name, "ended", "")))
        return moves

    def _give(self, worker: str) -> None:
        self.tasks += 1
        attempt = Attempt(task_id=str(self.tasks), number=1, worker=worker)
        group = (None, "g", "h")[self.tasks % 3]
        self.workers.give(attempt, self.now, timeout=10.0 * (self.tasks % 4 + 1), group=group)


@given(data=st.data(), steps=st.integers(1, 60))
def test_what_is_counted_is_what_is_there(data: st.DataObject, steps: int) -> None:
    """After any order of events: names in each state, attempts, groups, and the first deadline."""
    world = World()
    for _ in range(steps):
        world.now += data.draw(st.sampled_from([0.0, 0.5, 7.0]))
        data.draw(st.sampled_from(world.moves()))()
        workers = world.workers
        there = list(workers)
        assert len(workers) == len(there)
        for state in WorkerState:
            assert workers.count(state) == sum(one.state is state for one in there)
        assert {*workers.idle} == {one.name for one in there if one.state is WorkerState.IDLE}
        starting = {one.name for one in there if one.state is WorkerState.STARTING}
        assert {*workers.starting} == starting
        running = [one.attempt for one in there if one.attempt is not None]
        assert {one.name for one in workers.running} == {one.name for one in running}
        at_work = [one for one in there if one.attempt or one.lost_with]
        assert workers.groups_at_work == {one.group for one in at_work if one.group is not None}
        unburied = [one for one in there if one.state is WorkerState.GONE and not one.buried]
        assert workers.awaits_burial == bool(unburied)
        assert workers.deadline == min(
            (one.deadline for one in there if one.deadline), default=None
        )


def test_deadlines_that_are_void_are_dropped() -> None:
    """However many attempts a worker makes, no more is kept of them than is said."""
    workers = Workers()
    workers.launch("w1", 0.0)
    workers.place("w1", None, 0.0)
    workers.call_in("w1", 0.0)
    for number in range(3 * MAX_VOID_DEADLINES):
        attempt = Attempt(task_id=str(number), number=1, worker="w1")
        workers.give(attempt, float(number), timeout=1e6, group=None)
        workers.hand_over(attempt, float(number))
        workers.begin("w1")
        assert workers.deadline is not None
        assert workers.deadline.at == number + 1e6 + STUCK_AFTER_S
        workers.end(attempt, float(number))
    assert workers.deadline is None
    assert len(workers._deadlines) <= MAX_VOID_DEADLINES + 1


def test_who_waits_longest_for_a_task_is_first() -> None:
    """A worker that has just ended an attempt comes after those that had nothing to do."""
    workers = Workers()
    for name in ("w1", "w2"):
        workers.launch(name, 0.0)
        workers.place(name, None, 0.0)
        workers.call_in(name, 0.0)
    attempt = Attempt(task_id="1", number=1, worker="w1")
    workers.give(attempt, 1.0, timeout=9.0, group=None)
    workers.end(attempt, 2.0)
    assert [*workers.idle] == ["w2", "w1"]


def test_what_is_expected_of_a_worker_depends_on_where_it_stands() -> None:
    """One that waits for a place, for a task, or for its burial has no deadline."""
    for state in WorkerState:
        deadline = deadline_of("w1", state, 5.0, timeout=None, begun=False)
        if state is WorkerState.STARTING:
            assert deadline is not None
            assert deadline.at == 5.0 + START_TIMEOUT_S
        else:
            assert deadline is None
