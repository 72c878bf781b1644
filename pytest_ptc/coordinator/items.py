"""An item on the board: the votes on it, the checks of its findings, and what they come to. Pure.

Most items have one vote, which decides. With votes or verification an item has several tasks on the
shared list: one for each vote, and one for each verifier. The schedule knows tasks alone.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING

from pytest_ptc.coordinator.item_tasks import Task
from pytest_ptc.model.errors import IllegalMove
from pytest_ptc.model.lifecycle import TaskState
from pytest_ptc.model.panel import (
    Decision,
    Vote,
    VoteState,
    decide,
    needed_passes,
    panel_verdict,
    same_named,
    votes_to_open,
)
from pytest_ptc.model.result import Result
from pytest_ptc.model.trouble import Trouble
from pytest_ptc.model.verdict import NO_FACTS, Verdict
from pytest_ptc.model.verification import (
    Check,
    as_fail,
    check_spec,
    checked,
    findings_to_check,
    recast,
    recounted,
)
from pytest_ptc.model.voters import vote_spec, voter_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_ptc.coordinator.item_tasks import Ballot
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.verdict import Finding


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
    # What is refuted may make votes count that were not needed.
    Stage.CHECKING: frozenset({Stage.VOTING, Stage.DONE}),
    Stage.DONE: frozenset(),
}


class Item:
    """One item: its votes, and the checks of what blocks it, until both have decided.

    Its votes are cast until they decide. What blocks it then is checked, if it asks for that, while
    votes at work go on. After refutations the votes are counted anew; if that decides nothing, more
    of them are cast.

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
        #: The verifiers' tasks, each with the finding that it is about.
        self.checks: list[tuple[Finding, Task]] = []
        #: The verifiers to ask now, each with the index of its finding.
        self.wanted_checks: list[tuple[int, TaskSpec]] = []
        #: How often verifiers were wanted.
        self.rounds = 0
        self._ballots = list(ballots)
        #: What the votes have come to, and is being checked.
        self._verdict: Verdict | None = None
        #: The votes as they count after refutations.
        self._recast: list[Vote] | None = None
        #: Why no verifier can be asked.
        self._unasked: Trouble | None = None

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
        return [*opened, *(self._open(ballot) for ballot in self._ballots[: self._lacking])]

    def holds(self, task: Task) -> bool:
        """Tell whether a task is a vote that must not begin while it is being checked."""
        is_vote = any(vote is task for vote in self.votes.values())
        return is_vote and self.stage is Stage.CHECKING

    def held_votes(self) -> list[Task]:
        """Return the votes that waited for checks and are needed now."""
        held = [] if self.unmet else [t for t in self._open_votes if t.state is TaskState.BLOCKED]
        at_work = sum(task.state is not TaskState.BLOCKED for task in self._open_votes)
        return held[: max(0, self._wanted_votes - at_work)]

    @property
    def _lacking(self) -> int:
        return max(0, self._wanted_votes - len(self._open_votes))

    @property
    def _wanted_votes(self) -> int:
        if self.spec.votes == 1:
            return 1
        votes = self._votes() if self._recast is None else self._recast
        return votes_to_open([vote.state(self.spec.fail_on) for vote in votes], self._needed)

    @property
    def _open_votes(self) -> list[Task]:
        return [task for task in self.votes.values() if task.state is not TaskState.DONE]

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

        In `CHECKING` it waits for the answers to `wanted_checks`.
        """
        checking = self.stage is Stage.CHECKING and not self._are_checked
        if self.stage is not Stage.DONE and not checking:
            self._go_on()
        return self.stage

    def add_checks(self, tasks: Sequence[tuple[int, Task]]) -> None:
        """Take the tasks of the verifiers that were wanted."""
        assert self._verdict is not None, "nothing else is checked"
        found = self._verdict.findings
        self.checks += [(found[index], task) for index, task in tasks]
        self.wanted_checks = []

    def give_up_checks(self, why: Trouble) -> None:
        """Take that no verifier can be asked: what they were to look at stands."""
        self._unasked = why
        self.wanted_checks = []

    def give_up(self, trouble: Trouble) -> None:
        """End it, none of whose tasks is open: by this trouble, unless it is decided."""
        self.give_up_checks(self._unasked or trouble)
        self.next_stage()
        if self.stage is not Stage.DONE:
            self._end_by(trouble)

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

    def _go_on(self) -> None:
        outcome = self._take_one_vote() if self.spec.votes == 1 else self._count_votes()
        if not isinstance(outcome, Verdict) or not self.spec.verify:
            if outcome is not None:
                self._end(outcome)
            elif self.stage is not Stage.DONE:
                self._end_if_stopped()
            return
        checks = self._checks(outcome)
        wanted = findings_to_check(outcome, checks, self.spec.verify_limit)
        unasked = self._unasked or self.stopped
        if wanted and unasked is None:
            self._check(outcome, wanted)
            return
        checks += [Check(finding=index, trouble=unasked) for index in wanted]
        self._recount(checked(outcome, checks, self.spec.verify_limit), checks)

    def _count_votes(self) -> Verdict | Trouble | None:
        votes = self._votes()
        decision = decide([vote.state(self.spec.fail_on) for vote in votes], self._needed)
        if decision is None or (decision is Decision.NO_AGREEMENT and self.stopped is not None):
            return None
        return panel_verdict(votes, decision, self.spec.fail_on)

    def _take_one_vote(self) -> Verdict | Trouble | None:
        (task,) = self.votes.values()
        if task.state is not TaskState.DONE:
            return None
        if task.trouble is not None or not task.reports:
            self._end_by(task.trouble)
            return None
        verdict = task.reports[-1].verdict
        if verdict is None:
            self._end(None)
            return None
        return replace(verdict, fail_on=self.spec.fail_on)

    def _end_if_stopped(self) -> None:
        """End it by the trouble that stopped it, once nobody is at work on it."""
        if self.stopped is not None and not self._open_votes:
            self._end_by(self.stopped)

    # Checks.

    def _check(self, outcome: Verdict, wanted: Sequence[int]) -> None:
        """Have these findings checked."""
        self._verdict = outcome
        self.wanted_checks = [
            (index, check_spec(self.spec, outcome.findings[index])) for index in wanted
        ]
        self.rounds += 1
        if self.stage is not Stage.CHECKING:
            self.stage = self.stage.move(Stage.CHECKING)

    @property
    def _are_checked(self) -> bool:
        open_ones = any(task.state is not TaskState.DONE for _, task in self.checks)
        return not self.wanted_checks and not open_ones

    def _checks(self, outcome: Verdict) -> list[Check]:
        """Return what verifiers say, each with the index of its finding in what the votes are now.

        More votes may have been cast since it was asked: a finding may have another place among
        them all.
        """
        return [
            Check(
                finding=self._index(finding, outcome),
                task_id=task.id,
                report=task.last_report,
                trouble=task.trouble,
            )
            for finding, task in self.checks
        ]

    def _index(self, finding: Finding, outcome: Verdict) -> int:
        if self.spec.votes == 1:
            groups = [[one] for one in outcome.findings]
        else:
            groups = [[one.finding for one in group] for group in same_named(self._votes())]
        said = replace(finding, facts=NO_FACTS)
        return next(
            index
            for index, group in enumerate(groups)
            if any(replace(one, facts=NO_FACTS) == said for one in group)
        )

    def _recount(self, marked: Verdict, checks: Sequence[Check]) -> None:
        """Count the votes anew, now that verifiers have looked at what blocks the item."""
        if self.spec.votes == 1:
            self._end(marked, checks=checks)
            return
        self._recast = recast(self._votes(), marked)
        outcome = recounted(marked, self._recast, self._needed, self.spec.fail_on)
        if isinstance(outcome, Trouble) and self.stopped is not None:
            self._end_by(self.stopped)
        elif outcome is not None:
            self._end(outcome, checks=checks)
        elif self.stopped is None:
            if self.stage is not Stage.VOTING:
                self.stage = self.stage.move(Stage.VOTING)
        elif not self._open_votes:
            states = [vote.state(self.spec.fail_on) for vote in self._recast]
            if VoteState.FAIL in states:
                self._end(as_fail(marked), checks=checks)
            else:
                self._end_by(self.stopped)

    # The end.

    def _end_by(self, trouble: Trouble | None) -> None:
        self._end(None, trouble)

    def _end(
        self,
        outcome: Verdict | Trouble | None,
        trouble: Trouble | None = None,
        checks: Sequence[Check] = (),
    ) -> None:
        self.stage = self.stage.move(Stage.DONE)
        for task in self._open_votes:
            task.spared = True
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
            checks=tuple(checks),
        )
