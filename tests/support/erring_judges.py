"""Judges that err on purpose, by rule and with fixed seeds, and what becomes of their items.

Votes and verifiers are drawn; what they decide, what is asked next and what is no longer asked is
the product's: `Tasks` opens the votes, takes what they come to, has findings checked, and ends the
items. An attempt that has begun is a request, be it needed in the end or not.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_ptc.coordinator.item_tasks import Ballot, NewCheck
from pytest_ptc.coordinator.tasks import Tasks
from pytest_ptc.model.result import AttemptReport
from pytest_ptc.model.self_test import (
    Expectation,
    JudgedTest,
    JudgeReport,
    Minimums,
    SelfTest,
    outcome_of,
)
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Finding, Severity, Verdict, VerdictKind
from pytest_ptc.model.verification import ANSWER_SCHEMA, CheckState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_ptc.model.result import Attempt

#: So many conversations are held at once; any of them may be the next to end.
WORKERS = 8

#: Where defects are, and where false alarms are that are all at one place: far from each other.
DEFECT_LINE, ALARM_LINE, LINES = 500, 100, 10_000

#: What all findings violate.
RULE = "unchecked input"


@dataclass(frozen=True, kw_only=True)
class Judge:
    """How a judge errs.

    Args:
        catch: How likely a vote on a defective item names its defect; else it is a pass.
        false_alarm: How likely a vote on a clean item is a fail with a finding.
        refutes_false: How likely a verifier refutes a false finding.
        refutes_true: How likely it refutes a true one.
        spread: Whether each false alarm is at a place of its own; else all of an item are at one.
    """

    catch: float = 0.7
    false_alarm: float = 0.2
    refutes_false: float = 0.8
    refutes_true: float = 0.1
    spread: bool = False


@dataclass(frozen=True, kw_only=True)
class Form:
    """How each item is judged."""

    votes: int = 1
    quorum: str = "majority"
    verify: bool = False

    @property
    def name(self) -> str:
        votes = "one vote" if self.votes == 1 else f"votes={self.votes}"
        quorum = "" if self.quorum == "majority" else f', quorum="{self.quorum}"'
        return f"{votes}{quorum}{', verify' if self.verify else ''}"


@dataclass(frozen=True, kw_only=True)
class Quality:
    """What a gate is worth.

    Args:
        defects: How many items have a defect.
        clean: How many have none.
        missed: How many with a defect passed.
        blocked: How many without one did not.
        requests: How many conversations were begun.
    """

    defects: int
    clean: int
    missed: int
    blocked: int
    requests: int


class Court:
    """One run of items that are judged in one form by one judge."""

    def __init__(self, form: Form, judge: Judge, seed: int) -> None:
        self._form, self._judge, self._seed = form, judge, seed
        self._tasks = Tasks()
        #: The item and the part in it of each task.
        self._parts: dict[str, tuple[str, str]] = {}
        self._defects: frozenset[str] = frozenset()
        self._order = random.Random(seed)  # noqa: S311 - a simulation
        #: How many conversations were begun.
        self.requests = 0

    def judge(self, items: Sequence[str], defects: frozenset[str]) -> dict[str, Verdict | None]:
        """Have items judged, of which some have a defect; return their verdicts."""
        self._defects = defects
        for name in items:
            self._submit(name)
        at_work: list[Attempt] = []
        while self._tasks.open:
            self._begin(at_work)
            attempt = at_work.pop(self._order.randrange(len(at_work)))
            self._end(attempt, self._verdict(attempt.task_id))
            for task_id in self._tasks.take_surplus():
                attempt = next(one for one in at_work if one.task_id == task_id)
                at_work.remove(attempt)
                self._end(attempt, Trouble(cause=Cause.DECIDED, message="the others had decided"))
            for item in self._tasks.take_to_check():
                self._check(item.id)
        results = self._tasks.take_results()
        return {self._parts[result.task_id][0]: result.shown_verdict for result in results}

    def _begin(self, at_work: list[Attempt]) -> None:
        ready = self._tasks.ready
        while ready and len(at_work) < WORKERS:
            at_work.append(self._tasks.begin(next(iter(ready)), f"w{len(at_work)}"))
            self.requests += 1

    def _submit(self, item: str) -> None:
        form = self._form
        spec = TaskSpec(
            nodeid=item,
            prompt="Review it.",
            timeout=60,
            cwd="/",
            votes=form.votes,
            quorum=form.quorum,
            verify=form.verify,
        )
        ballots = [Ballot(n, f"{item}.vote {n}") for n in range(1, form.votes + 1)]
        self._parts.update((one.task_id, (item, f"vote {one.number}")) for one in ballots)
        self._tasks.submit(ballots[0].task_id, spec, (), ballots)

    def _check(self, item_id: str) -> None:
        item = self._tasks.item(item_id)
        assert item is not None
        name, _ = self._parts[item_id]
        checks = []
        for finding, spec in item.wanted_checks:
            task_id = f"{name}.check {len(self._parts)}"
            self._parts[task_id] = (name, f"check {finding} {len(self._parts)}")
            checks.append(NewCheck(finding, task_id, spec))
        self._tasks.add_checks(item_id, checks)

    def _end(self, attempt: Attempt, how: Verdict | Trouble) -> None:
        verdict, trouble = (how, None) if isinstance(how, Verdict) else (None, how)
        report = AttemptReport(attempt=attempt, seconds=1, verdict=verdict, trouble=trouble)
        self._tasks.end(report, 0.0, retry=True)

    def _verdict(self, task_id: str) -> Verdict:
        item, part = self._parts[task_id]
        # The same vote on the same item in every form that has it: forms differ by what they make
        # of the votes.
        drawn = random.Random(f"{self._seed} {item} {part}")  # noqa: S311 - a simulation
        spec = self._tasks[task_id].spec
        if spec.schema is ANSWER_SCHEMA:
            return self._answer(item, spec.prompt, drawn)
        defect = item in self._defects
        judge = self._judge
        if drawn.random() >= (judge.catch if defect else judge.false_alarm):
            return Verdict(verdict=VerdictKind.PASS, summary="fine")
        line = DEFECT_LINE if defect else ALARM_LINE
        if not defect and judge.spread:
            line = drawn.randrange(LINES)
        found = Finding(
            severity=Severity.HIGH, message="bad", path=f"{item}.py", line=line, rule=RULE
        )
        return Verdict(verdict=VerdictKind.FAIL, summary="bad", findings=(found,))

    def _answer(self, item: str, prompt: str, drawn: random.Random) -> Verdict:
        """Return what a verifier says, who knows of the finding what it is told."""
        place = re.search(r"^Place: \S+:(\d+)$", prompt, re.MULTILINE)
        assert place is not None
        true = item in self._defects and int(place[1]) == DEFECT_LINE
        likely = self._judge.refutes_true if true else self._judge.refutes_false
        state = CheckState.REFUTED if drawn.random() < likely else CheckState.CONFIRMED
        data = {"state": state.name, "quote": "x = 1"}
        return Verdict(verdict=VerdictKind.PASS, summary="looked", data=data)


def quality(
    form: Form, judge: Judge, seed: int, *, items: int = 1000, defective: float = 0.5
) -> Quality:
    """Return what a gate of this form is worth with this judge.

    Args:
        form: How each item is judged.
        judge: How the judge errs.
        seed: What the votes are drawn from.
        items: How many items there are.
        defective: Which part of them has a defect.
    """
    names = [str(number) for number in range(items)]
    defects = frozenset(names[: round(items * defective)])
    court = Court(form, judge, seed)
    verdicts = court.judge(names, defects)
    passed = {name for name, verdict in verdicts.items() if verdict is not None and verdict.passed}
    return Quality(
        defects=len(defects),
        clean=items - len(defects),
        missed=len(passed & defects),
        blocked=items - len(passed | defects),
        requests=court.requests,
    )


def self_test(judge: Judge, seed: int, minimums: Minimums, *, canaries: int = 12) -> JudgeReport:
    """Return how a judge does in a self-test of so many planted defects and as many controls."""
    planted = [f"canary{number}" for number in range(canaries)]
    clean = [f"control{number}" for number in range(canaries)]
    verdicts = Court(Form(), judge, seed).judge([*planted, *clean], frozenset(planted))
    tests = {
        name: SelfTest(
            kind="canary",
            expect=Expectation(path=f"{name}.py", line=DEFECT_LINE, rules=(RULE,)),
            tolerated=True,
        )
        for name in planted
    } | {name: SelfTest(kind="control", tolerated=True) for name in clean}
    judged = [
        JudgedTest(name, test, outcome_of(test, verdicts[name], cwd="/", fail_on="verdict"))
        for name, test in tests.items()
    ]
    return JudgeReport.of(judged, minimums)
