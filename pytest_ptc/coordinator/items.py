"""An item on the board: the votes on it, the checks of its findings, and what they come to. Pure.

Most items have one vote, which decides. With votes or verification an item has several tasks on the
shared list: one for each vote, and one for each verifier. The schedule knows tasks alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.errors import IllegalMove
from pytest_ptc.model.lifecycle import TaskState
from pytest_ptc.model.panel import Vote, decide, needed_passes, panel_verdict, votes_to_open
from pytest_ptc.model.result import Result
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict
from pytest_ptc.model.verification import (
    Check,
    check_specs,
    checked,
    findings_to_check,
    recounted,
)
from pytest_ptc.model.voters import vote_spec, voter_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_ptc.model.panel import VoteState
    from pytest_ptc.model.result import AttemptReport, Kept
    from pytest_ptc.model.task import TaskSpec


class Stage(Enum):
    """Where an item stands."""

    VOTING = "voting"
    #: Its votes have decided, and verifiers look at what blocks it.
    CHECKING = "checking"
    DONE = "done"

    def move(self, to: Stage) -> Stage:
        """Return `to` if the table allows the move.

        Raises:
            IllegalMove: It does not.
        """
        if to not in _MOVES[self]:
            raise IllegalMove("item", self, to)
        return to


_MOVES: Mapping[Stage, frozenset[Stage]] = {
    Stage.VOTING: frozenset({Stage.CHECKING, Stage.DONE}),
    Stage.CHECKING: frozenset({Stage.DONE}),
    Stage.DONE: frozenset(),
}


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


class Item:
    """One item: its votes, then the checks of what blocks it.

    Args:
        item_id: Its id: that of its first vote's task.
        spec: What is asked.
        ballots: The votes that may be cast, in order.
        unmet: The ids of the items that must pass before it.
    """

    def __init__(
        self, item_id: str, spec: TaskSpec, ballots: Sequence[Ballot], unmet: set[str]
    ) -> None:
        self.id = item_id
        self.spec = spec
        self.unmet = unmet
        self.stage = Stage.VOTING
        #: How it ended, once it has.
        self.result: Result | None = None
        #: Why nothing more is begun for it, if that is so.
        self.stopped: Trouble | None = None
        self.votes: dict[int, Task] = {}
        self.checks: list[tuple[int, Task]] = []
        self._ballots = list(ballots)
        self._verdict: Verdict | None = None
        self._unasked = ""

    def __repr__(self) -> str:
        return f"<Item {self.id} {self.stage.value}, {len(self.votes)} votes>"

    @property
    def tasks(self) -> list[Task]:
        """Return its tasks, votes first."""
        return [*self.votes.values(), *(task for _, task in self.checks)]

    @property
    def passed(self) -> bool:
        """Tell whether it is done with a pass that no finding blocks."""
        verdict = self.result.shown_verdict if self.result is not None else None
        if self.result is not None and (outcome := self.result.test_outcome) is not None:
            return outcome.good
        return verdict is not None and verdict.passed

    def next_votes(self) -> list[Task]:
        """Return the votes to open now, as tasks that nobody has; kept ones are done already."""
        opened = [self._open(ballot) for ballot in self._ballots if ballot.kept is not None]
        wanted = votes_to_open(self._states(), self._needed)
        at_work = sum(task.state is not TaskState.DONE for task in self.votes.values())
        opened += [self._open(ballot) for ballot in self._ballots[: max(0, wanted - at_work)]]
        return opened

    def _open(self, ballot: Ballot) -> Task:
        kept = ballot.kept
        task = Task(
            id=ballot.task_id,
            spec=vote_spec(self.spec, ballot.number) if self.spec.has_panel else self.spec,
            item=self,
            state=TaskState.BLOCKED if self.unmet and kept is None else TaskState.READY,
            reports=[] if kept is None else [kept.report],
            kept_from=None if kept is None else kept.run_id,
        )
        self._ballots = [left for left in self._ballots if left != ballot]
        self.votes[ballot.number] = task
        return task

    def next_stage(self) -> Stage:
        """Go on after one of its tasks has ended; what it comes to is in `result` when it is done.

        In `CHECKING` it waits for the checks of `wanted_checks`, until all of them are there.
        """
        if self.stage is Stage.VOTING:
            self._count_votes()
        elif self.stage is Stage.CHECKING and self._are_checked:
            assert self._verdict is not None, "nothing else is checked"
            self._end(self._after_checks(self._verdict))
        return self.stage

    @property
    def wanted_checks(self) -> list[tuple[int, TaskSpec]]:
        """Return the tasks of its verifiers, each with the index of its finding."""
        assert self._verdict is not None, "it is being checked"
        return check_specs(self.spec, self._verdict, self.spec.verify_limit)

    def add_checks(self, tasks: Sequence[tuple[int, Task]]) -> None:
        """Take the tasks of its verifiers."""
        self.checks.extend(tasks)

    def give_up_checks(self, why: str) -> None:
        """Take that no verifier can be asked: what they were to look at stands."""
        self._unasked = why

    def give_up(self, trouble: Trouble) -> None:
        """End it without asking anybody: by this trouble, unless its votes have decided."""
        if self.stage is Stage.VOTING:
            self._end_by(trouble)
        elif self.stage is Stage.CHECKING:
            self._unasked = trouble.cause.value
            self.next_stage()

    # Votes.

    @property
    def _needed(self) -> int:
        return needed_passes(self.spec.quorum, self.spec.votes)

    def _votes(self) -> list[Vote]:
        return [self._vote(number) for number in range(1, self.spec.votes + 1)]

    def _vote(self, number: int) -> Vote:
        voter, task = voter_of(self.spec, number), self.votes.get(number)
        if task is None:
            return Vote(number=number, voter=voter)
        done = task.state is TaskState.DONE
        return Vote(
            number=number,
            voter=voter,
            task_id=task.id,
            report=task.last_report,
            trouble=task.trouble if done else None,
            spared=task.spared,
        )

    def _states(self) -> list[VoteState]:
        return [vote.state(self.spec.fail_on) for vote in self._votes()]

    def _count_votes(self) -> None:
        if self.spec.votes == 1:
            self._take_one_vote()
            return
        decision = decide(self._states(), self._needed)
        if decision is None:
            working = any(task.state is not TaskState.DONE for task in self.votes.values())
            if self.stopped is not None and not working:
                self._end_by(self.stopped)
            return
        outcome = panel_verdict(self._votes(), decision, self.spec.fail_on)
        self._check_or_end(outcome)

    def _take_one_vote(self) -> None:
        (task,) = self.votes.values()
        if task.state is not TaskState.DONE:
            return
        if task.trouble is not None or not task.reports:
            self._end_by(task.trouble)
            return
        verdict = task.reports[-1].verdict
        if verdict is None:
            self._end(None)
        else:
            self._check_or_end(replace(verdict, fail_on=self.spec.fail_on))

    def _check_or_end(self, outcome: Verdict | Trouble) -> None:
        """Have what blocks checked, if the item asks for that; else end by what was decided."""
        blocked = (
            isinstance(outcome, Verdict)
            and self.spec.verify
            and self.stopped is None
            and bool(findings_to_check(outcome, self.spec.verify_limit))
        )
        if blocked:
            assert isinstance(outcome, Verdict), "a trouble has no findings"
            self._verdict = outcome
            self.stage = self.stage.move(Stage.CHECKING)
        else:
            self._end(outcome)

    # Checks.

    @property
    def _are_checked(self) -> bool:
        if self._unasked:
            return True
        done = all(task.state is TaskState.DONE for _, task in self.checks)
        return bool(self.checks) and done

    def _checks(self) -> list[Check]:
        if not self.checks:
            wanted = self.wanted_checks if self._verdict is not None else []
            trouble = Trouble(cause=Cause.MACHINERY, message=self._unasked)
            return [Check(finding=index, trouble=trouble) for index, _ in wanted]
        return [
            Check(finding=index, task_id=task.id, report=task.last_report, trouble=task.trouble)
            for index, task in self.checks
        ]

    def _after_checks(self, verdict: Verdict) -> Verdict:
        marked = checked(verdict, self._checks(), self.spec.verify_limit)
        if self.spec.votes == 1:
            return marked
        return recounted(marked, self._votes(), self._needed, self.spec.fail_on)

    # The end.

    def _end_by(self, trouble: Trouble | None) -> None:
        self._end(None, trouble)

    def _end(self, outcome: Verdict | Trouble | None, trouble: Trouble | None = None) -> None:
        self.stage = self.stage.move(Stage.DONE)
        has_panel = self.spec.has_panel and trouble is None
        kept = {task.kept_from for task in self.tasks}
        self.result = Result(
            task_id=self.id,
            spec=self.spec,
            reports=tuple(report for task in self.tasks for report in task.reports),
            trouble_outside=trouble,
            resumed=kept.pop() if len(kept) == 1 else None,
            outcome=outcome if has_panel else None,
            votes=tuple(self._votes()) if self.spec.votes > 1 else (),
            checks=tuple(self._checks()) if self._verdict is not None else (),
        )
