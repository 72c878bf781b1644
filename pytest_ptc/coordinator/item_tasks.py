"""The tasks of an item on the board: its votes and its verifiers. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.lifecycle import TaskState

if TYPE_CHECKING:
    from pytest_ptc.coordinator.items import Item
    from pytest_ptc.model.result import AttemptReport, Kept
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.trouble import Trouble


class Ballot(NamedTuple):
    """A vote that may be cast: its number, its task on the shared list, and a kept verdict."""

    number: int
    task_id: str
    kept: Kept | None = None


class NewCheck(NamedTuple):
    """A verifier's task: its finding's index, its id on the list, and what is kept in its place."""

    finding: int
    task_id: str
    spec: TaskSpec
    kept: Kept | None = None


@dataclass(kw_only=True, slots=True)
class Task:
    """One task on the board.

    Args:
        id: Its id on the shared list.
        spec: What is asked.
        item: The item that it has a part in.
        state: Where it stands.
        reports: How its attempts have ended, in order.
        trouble: Why it ended without an attempt, or after the last one.
        kept_from: The earlier run whose verdict is kept for it.
        spared: Whether it was not needed: the other votes had decided.
    """

    id: str
    spec: TaskSpec
    item: Item
    state: TaskState
    reports: list[AttemptReport] = field(default_factory=list)
    trouble: Trouble | None = None
    kept_from: str | None = None
    spared: bool = False

    @property
    def unmet(self) -> set[str]:
        """Return the ids of the items that must still pass before it is ready."""
        return self.item.unmet

    @property
    def retries_left(self) -> int:
        """Return how many more attempts may end in an infrastructure error."""
        return self.spec.retries + 1 - len(self.reports)

    @property
    def may_be_retried(self) -> bool:
        """Tell whether its last attempt may be followed by another."""
        last = self.reports[-1]
        return (
            last.trouble is not None
            and last.trouble.retryable
            and self.retries_left > 0
            and not self.spared
            # An agent that said fail is not asked again until it says otherwise.
            and not any(report.said_fail for report in self.reports)
        )

    @property
    def last_report(self) -> AttemptReport | None:
        return self.reports[-1] if self.reports and self.state is TaskState.DONE else None
