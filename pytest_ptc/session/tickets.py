"""The marked items of a session, each with its task, its result and what became of it. Pure.

One book holds them for everybody who asks: the hooks that run items, the gate, the summary.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import IllegalMove
from pytest_ptc.model.greenness import state_of
from pytest_ptc.model.item_states import BAD, final_report
from pytest_ptc.model.self_test import NO_MINIMUMS, JudgedTest, JudgeOutcome, JudgeReport, Minimums
from pytest_ptc.reporting.task_report import TaskReport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Future

    import pytest

    from pytest_ptc.collection.marker import MarkedTask
    from pytest_ptc.model.item_states import ItemState, PhaseReport
    from pytest_ptc.model.result import Result
    from pytest_ptc.model.task import TaskSpec


class TicketState(Enum):
    """Where a marked item is on its way to an outcome."""

    #: Its marker is read.
    COLLECTED = "collected"
    #: Its prompt could not be filled, so that it never has a task.
    NO_TASK = "no task"
    #: An agent has its task, or will have it.
    PUBLISHED = "published"
    #: Its task has a result: the item may run.
    ARRIVED = "arrived"
    #: It has run by its result; a further run needs a further attempt.
    RUN = "run"

    def move(self, to: TicketState) -> TicketState:
        """Return `to` if the table allows the move.

        Raises:
            IllegalMove: It does not.
        """
        if to not in MOVES[self]:
            raise IllegalMove("ticket", self, to)
        return to


MOVES: Mapping[TicketState, frozenset[TicketState]] = MappingProxyType(
    {
        TicketState.COLLECTED: frozenset({TicketState.NO_TASK, TicketState.PUBLISHED}),
        TicketState.NO_TASK: frozenset(),
        TicketState.PUBLISHED: frozenset({TicketState.ARRIVED}),
        TicketState.ARRIVED: frozenset({TicketState.RUN}),
        TicketState.RUN: frozenset({TicketState.PUBLISHED}),
    }
)


@dataclass(kw_only=True, slots=True, eq=False)
class Ticket:
    """A marked item on its way to an outcome.

    Args:
        marked: What its marker asks for.
        needs: The node ids of the tasks that must pass first.
        selected: Whether the item runs; else it is one that selected items need: a task alone.
        state: Where it is.
        spec: Its task, once published.
        future: The task's result to come, once published.
        result: The result, once it has arrived; gone when the item is published again.
        problem: Why its body does not run while it has no result.
        reports: What pytest reported of the item since it began its last run.
    """

    marked: MarkedTask
    needs: tuple[str, ...] = ()
    selected: bool = True
    state: TicketState = TicketState.COLLECTED
    spec: TaskSpec | None = None
    future: Future[Result] | None = None
    result: Result | None = None
    problem: str = "no verdict was there for this item"
    reports: list[PhaseReport] = field(default_factory=list)

    @property
    def item_state(self) -> ItemState:
        """Return what became of the item."""
        last = final_report(self.reports)
        return state_of(last.outcome if last else None, self.result)

    @property
    def test_outcome(self) -> JudgeOutcome:
        """Return what the item came to as a test of the judge, which it is."""
        outcome = self.result.test_outcome if self.result is not None else None
        return JudgeOutcome.UNJUDGED if outcome is None else outcome

    @property
    def unasked(self) -> bool:
        """Tell whether the item ran into an error for which no agent could be asked."""
        return self.result is None and bool(self.reports) and self.item_state in BAD

    def give_up(self, problem: str) -> None:
        """Record that the item never has a task."""
        self.state = self.state.move(TicketState.NO_TASK)
        self.problem = problem

    def publish(self, spec: TaskSpec, future: Future[Result]) -> None:
        """Record that its task is with the coordinator, for the first time or again."""
        self.state = self.state.move(TicketState.PUBLISHED)
        self.spec, self.future, self.result = spec, future, None
        self.reports = []

    def arrive(self, result: Result) -> None:
        self.state = self.state.move(TicketState.ARRIVED)
        self.result = result

    def run(self) -> None:
        """Record that the item runs by its result."""
        self.state = self.state.move(TicketState.RUN)


class TicketBook:
    """All marked items of a session, and all results of its tasks."""

    def __init__(self) -> None:
        self._selected: dict[pytest.Item, Ticket] = {}
        #: Tests that were not selected, and that selected ones need: tasks, and no items.
        self._needed: dict[pytest.Item, Ticket] = {}
        self._by_nodeid: dict[str, Ticket] = {}
        #: What pytest reported of items by a task that was not their last, by the tasks' ids.
        self._overtaken: dict[str, Sequence[PhaseReport]] = {}
        #: Marked items that had no task when tasks were published, and were about to run.
        self._refused: set[pytest.Item] = set()
        self._unjudged_errors = 0
        #: How tasks ended, those that tests have submitted included, in order.
        self.results: list[Result] = []

    def __repr__(self) -> str:
        return f"<TicketBook {len(self._selected)} marked, {len(self.results)} results>"

    def enter(
        self,
        selected: Mapping[pytest.Item, MarkedTask],
        needed: Mapping[pytest.Item, MarkedTask],
        needs: Mapping[str, tuple[str, ...]],
    ) -> None:
        """Open a ticket for each item.

        Args:
            selected: The items that run, with what their markers ask for.
            needed: Likewise, items that do not run and whose tasks others need.
            needs: For each task, by its node id, the node ids of those it needs.
        """
        for item, task in selected.items():
            self._selected[item] = Ticket(marked=task, needs=needs[task.nodeid])
        for item, task in needed.items():
            self._needed[item] = Ticket(marked=task, needs=needs[task.nodeid], selected=False)
        for item, ticket in self._selected.items():
            self._by_nodeid.setdefault(item.nodeid, ticket)

    @property
    def selected(self) -> Mapping[pytest.Item, Ticket]:
        """Return the items that run, in the order of their collection."""
        return self._selected

    def get(self, item: pytest.Item) -> Ticket | None:
        """Return the ticket of an item that runs; None if it has none."""
        return self._selected.get(item)

    def all(self) -> Iterator[tuple[pytest.Item, Ticket]]:
        """Yield every item that has a ticket, those that do not run included."""
        yield from self._selected.items()
        yield from self._needed.items()

    def reported(self, nodeid: str, running: pytest.Item | None) -> Ticket | None:
        """Return the ticket of the item that a report is about.

        Args:
            nodeid: The report's.
            running: The item that is running: two may have the same node id.
        """
        if running is not None and running.nodeid == nodeid:
            return self._selected.get(running)
        return self._by_nodeid.get(nodeid)

    def name_of(self, item: pytest.Item) -> str:
        """Return the node id of an item's task, which no other has; without one, the item's."""
        ticket = self._selected.get(item)
        return ticket.marked.nodeid if ticket is not None else item.nodeid

    def result_of(self, item: pytest.Item) -> Result | None:
        """Return how the task of an item ended, if it has one and that has."""
        ticket = self._selected.get(item)
        return ticket.result if ticket is not None else None

    def publish_again(self, ticket: Ticket, future: Future[Result]) -> None:
        """Record that an item that has run is run again, by a further attempt."""
        assert ticket.spec is not None, "it has run by a task"
        if ticket.result is not None and final_report(ticket.reports) is not None:
            self._overtaken[ticket.result.task_id] = ticket.reports
        ticket.publish(ticket.spec, future)

    def refuse(self, item: pytest.Item) -> None:
        """Record a marked item that is about to run and has no ticket."""
        self._refused.add(item)

    def report(self, ticket: Ticket, report: PhaseReport) -> None:
        ticket.reports.append(report)
        if report.outcome == "error" and report.phase == "setup" and ticket.result is not None:
            self._unjudged_errors += not ticket.result.judged

    @property
    def unjudged(self) -> int:
        """Return how many failures and errors are of items that no agent has judged."""
        return self._unjudged_errors + len(self._refused)

    def judge(self, minimums: Minimums = NO_MINIMUMS) -> JudgeReport:
        """Return how the judge did in its tests, those included that only others need."""
        tested = [
            JudgedTest(ticket.marked.nodeid, test, ticket.test_outcome)
            for _, ticket in self.all()
            if (test := ticket.marked.self_test) is not None
        ]
        return JudgeReport.of(tested, minimums, judges=bool(self._selected))

    @property
    def tasks(self) -> list[TaskReport]:
        """Return how tasks ended and what became of their items, in the order in which they did."""
        tickets = self._selected.values()
        last = {ticket.result.task_id: ticket.reports for ticket in tickets if ticket.result}
        phases = {**self._overtaken, **last}
        return [
            TaskReport.of(
                result, phases.get(result.task_id, ()), overtaken=result.task_id not in phases
            )
            for result in self.results
        ]
