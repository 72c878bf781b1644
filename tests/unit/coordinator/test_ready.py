"""The queue of tasks that may be assigned, and what of it the schedule looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.coordinator.ready import ReadyQueue
from pytest_ptc.coordinator.schedule import Assign, Limits, plan
from pytest_ptc.coordinator.view import BoardView, ReadyTask

if TYPE_CHECKING:
    from collections.abc import Sequence


class Waiting(NamedTuple):
    """A task that waits: its group, and its limit in dollars."""

    group: str | None
    limit: float | None


WAITING = st.builds(
    Waiting,
    st.sampled_from([None, None, "g", "h"]),
    st.sampled_from([None, 0.5, 1.0, 4.0]),
)


def queue_of(tasks: Sequence[Waiting]) -> ReadyQueue:
    """Return a queue in which the tasks are called by their places."""
    queue = ReadyQueue()
    for number, task in enumerate(tasks):
        queue.append(str(number), task.group, task.limit)
    return queue


def planned(
    ids: Sequence[str], tasks: Sequence[Waiting], idle: int, at_work: frozenset[str], budget: float
) -> list[object]:
    """Return what the schedule assigns of these tasks; what has no limit of its own costs 2."""
    ready = tuple(
        ReadyTask(task_id, 2.0 if limit is None else limit, group)
        for task_id, (group, limit) in ((task_id, tasks[int(task_id)]) for task_id in ids)
    )
    view = BoardView(
        open_tasks=len(tasks) + 1,
        waiting=len(tasks),
        launches=9,
        running=1,
        ready=ready,
        groups_at_work=at_work,
        live=idle,
        idle=tuple(f"w{number}" for number in range(idle)),
    )
    limits = Limits(workers=0, max_worker_restart=0, budget_usd=budget)
    return [action for action in plan(view, limits, 0.0) if isinstance(action, Assign)]


@given(
    tasks=st.lists(WAITING, max_size=20),
    removed=st.sets(st.integers(0, 19)),
    idle=st.integers(1, 4),
    at_work=st.frozensets(st.sampled_from(["g", "h"])),
    budget=st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.5, 6.0, 99.0]),
)
def test_candidates_lead_to_the_same_assignments_as_all_tasks(
    tasks: list[Waiting], removed: set[int], idle: int, at_work: frozenset[str], budget: float
) -> None:
    """Whatever the money allows, nothing that is left out could have begun."""
    queue = queue_of(tasks)
    for number in removed:
        if number < len(tasks):
            queue.remove(str(number))
    everything = [str(number) for number in range(len(tasks)) if number not in removed]
    assert list(queue) == everything
    assert len(queue) == len(everything)
    some = queue.candidates(idle, at_work)
    asked = (tasks, idle, at_work, budget)
    assert planned(some, *asked) == planned(everything, *asked)


def test_candidates_of_a_long_queue_are_few() -> None:
    """As many as there are idle workers of each limit, and one of each group and limit."""
    tasks = [Waiting(None, 1.0), Waiting(None, None), Waiting("g", 1.0), Waiting("h", 1.0)] * 1000
    found = queue_of(tasks).candidates(3, {"h"})
    assert found == ["0", "1", "2", "4", "5", "8", "9"]


def test_a_task_that_comes_again_comes_last() -> None:
    """One that was taken out and put in again waits behind those that were there."""
    queue = queue_of([Waiting(None, None), Waiting("g", None), Waiting(None, 1.0)])
    for task_id in ("0", "1"):
        queue.remove(task_id)
        queue.append(task_id, "g" if task_id == "1" else None)
    assert list(queue) == ["2", "0", "1"]
    assert queue.startable(9, ()) == ["2", "0", "1"]
    assert "1" in queue
    assert queue.waiting_for(["g"]) == 1
    queue.clear()
    assert list(queue) == queue.startable(9, ()) == queue.candidates(9, ()) == []
    assert "1" not in queue
