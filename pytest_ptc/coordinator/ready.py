"""The tasks that may be assigned: first come first served, never two of a group at once. Pure."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator


class ReadyQueue:
    """The ids of the tasks that wait for a worker, in their order, with the group of each."""

    def __init__(self) -> None:
        self._order: deque[str] = deque()
        #: The groups of those that have one.
        self._group_of: dict[str, str] = {}
        self._in_group: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<ReadyQueue {list(self._order)}>"

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[str]:
        return iter(self._order)

    def __contains__(self, task_id: str) -> bool:
        return task_id in self._order

    def append(self, task_id: str, group: str | None) -> None:
        """Take a task as the last one."""
        self._order.append(task_id)
        if group is not None:
            self._group_of[task_id] = group
            self._in_group[group] += 1

    def remove(self, task_id: str) -> None:
        """Take a task out."""
        self._order.remove(task_id)
        group = self._group_of.pop(task_id, None)
        if group is not None:
            self._in_group[group] -= 1
            if not self._in_group[group]:
                del self._in_group[group]

    def clear(self) -> None:
        """Take all tasks out."""
        self._order.clear()
        self._group_of.clear()
        self._in_group.clear()

    def group_of(self, task_id: str) -> str | None:
        """Return the group of a task of this queue; None where it has none."""
        return self._group_of.get(task_id)

    def waiting_for(self, groups: Iterable[str]) -> int:
        """Return how many tasks are of one of these groups, each of which is named once."""
        return sum(self._in_group[group] for group in groups)

    def startable(self, count: int, at_work: Collection[str]) -> list[str]:
        """Return the first tasks that can be at work together, at most so many.

        It looks at `count` tasks, and at more only where tasks have to wait for their group.

        Args:
            count: How many are wanted.
            at_work: The groups of which a task is at work.
        """
        free_groups = sum(group not in at_work for group in self._in_group)
        count = min(count, len(self) - len(self._group_of) + free_groups)
        found: list[str] = []
        taken = set(at_work)
        for task_id in self._order:
            if len(found) >= count:
                break
            group = self.group_of(task_id)
            if group is None:
                found.append(task_id)
            elif group not in taken:
                taken.add(group)
                found.append(task_id)
        return found
