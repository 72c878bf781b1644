"""The tasks that may be assigned: first come first served, never two of a group at once. Pure."""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict
from itertools import count, islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator


class _Lane(NamedTuple):
    """What decides when a task may begin, beside its place: its group, and its limit in dollars."""

    group: str | None
    limit_usd: float | None


class ReadyQueue:
    """The ids of the tasks that wait for a worker, in their order.

    Tasks of one group with one limit stand in one lane. Whoever looks for the next ones looks at
    the heads of lanes, however many tasks wait behind them.
    """

    def __init__(self) -> None:
        self._numbers = count()
        self._lane_of: dict[str, _Lane] = {}
        #: The tasks of each lane, with the number that each drew when it came. Ordered dicts, for a
        #: plain one takes ever longer to find its first key when those before were removed.
        self._lanes: dict[_Lane, OrderedDict[str, int]] = {}
        self._in_group: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<ReadyQueue {list(self)}>"

    def __len__(self) -> int:
        return len(self._lane_of)

    def __iter__(self) -> Iterator[str]:
        """Iterate over all tasks, in their order."""
        return (task_id for _, task_id in heapq.merge(*map(_numbered, self._lanes.values())))

    def __contains__(self, task_id: str) -> bool:
        return task_id in self._lane_of

    def append(self, task_id: str, group: str | None, limit_usd: float | None = None) -> None:
        """Take a task as the last one.

        Args:
            task_id: Its id.
            group: Its group, of which no two tasks are at work at once.
            limit_usd: The most that an attempt at it may cost.
        """
        lane = self._lane_of[task_id] = _Lane(group, limit_usd)
        self._lanes.setdefault(lane, OrderedDict())[task_id] = next(self._numbers)
        if group is not None:
            self._in_group[group] += 1

    def remove(self, task_id: str) -> None:
        """Take a task out."""
        lane = self._lane_of.pop(task_id)
        del self._lanes[lane][task_id]
        if not self._lanes[lane]:
            del self._lanes[lane]
        if lane.group is not None:
            self._in_group[lane.group] -= 1
            if not self._in_group[lane.group]:
                del self._in_group[lane.group]

    def clear(self) -> None:
        """Take all tasks out."""
        self._lane_of.clear()
        self._lanes.clear()
        self._in_group.clear()

    def group_of(self, task_id: str) -> str | None:
        """Return the group of a task of this queue; None where it has none."""
        return self._lane_of[task_id].group

    def waiting_for(self, groups: Iterable[str]) -> int:
        """Return how many tasks are of one of these groups, each of which is named once."""
        return sum(self._in_group[group] for group in groups)

    def startable(self, most: int, at_work: Collection[str]) -> list[str]:
        """Return the first tasks that can be at work together, at most so many.

        Args:
            most: How many are wanted.
            at_work: The groups of which a task is at work.
        """
        found: list[str] = []
        taken: set[str] = set()
        for task_id in self._heads(most, at_work):
            if len(found) >= most:
                break
            group = self.group_of(task_id)
            if group in taken:
                continue
            if group is not None:
                taken.add(group)
            found.append(task_id)
        return found

    def candidates(self, most: int, at_work: Collection[str]) -> list[str]:
        """Return the tasks among which are the first that can be at work together, in their order.

        At most so many begin, and which of them may be decided by what they cost: of each limit
        there are as many as could begin if all others were too dear.
        """
        return list(self._heads(most, at_work))

    def _heads(self, most: int, at_work: Collection[str]) -> Iterator[str]:
        """Iterate over the first tasks of each lane whose group is not at work, in their order."""
        if most <= 0:
            return iter(())
        alone = sorted(
            (next(iter(tasks.values())), next(iter(tasks)))
            for lane, tasks in self._lanes.items()
            if lane.group is not None and lane.group not in at_work
        )
        others = [
            islice(_numbered(tasks), most)
            for lane, tasks in self._lanes.items()
            if lane.group is None
        ]
        return (task_id for _, task_id in heapq.merge(alone, *others))


def _numbered(tasks: OrderedDict[str, int]) -> Iterator[tuple[int, str]]:
    return ((number, task_id) for task_id, number in tasks.items())
