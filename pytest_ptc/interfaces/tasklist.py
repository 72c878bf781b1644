"""The protocol of the shared list."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, kw_only=True, slots=True)
class NewTask:
    """A task to put on the shared list."""

    subject: str
    description: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


class TaskList(Protocol):
    """The shared list: a view of the run that other Claude sessions can see, never its truth.

    Every method may raise TaskListError. A task that vanished is not an error: Claude Code deletes
    lists whose tasks are all completed, and a person may delete any task.
    """

    def publish(self, tasks: Sequence[NewTask]) -> list[str]:
        """Put tasks on the list in one go and return their ids, in order."""

    def claim(self, task_id: str, owner: str) -> bool:
        """Take a pending task of the run's; False if it is taken, completed or gone."""

    def release(self, task_id: str, owner: str) -> None:
        """Put a task that `owner` holds back to pending."""

    def complete(self, task_id: str, owner: str, metadata: Mapping[str, Any]) -> None:
        """Mark a task that `owner` holds completed, adding to its metadata."""

    def has(self, task_id: str) -> bool:
        """Tell whether the list has this task of the run's."""

    def is_gone(self, task_id: str) -> bool:
        """Tell whether the list was deleted as a whole, this task with it."""
