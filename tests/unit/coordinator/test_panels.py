"""Items with votes and verifiers come to what all of their votes would have decided.

Each vote and each verifier has an answer that is known before. The board opens as many as it needs,
in an order that nobody would have thought of; workers are lost in between, items and the run are
stopped, verifiers cannot be asked, and what is not needed any more ends late.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pytest_ptc.coordinator.board import Board
from pytest_ptc.coordinator.item_tasks import Ballot, NewCheck
from pytest_ptc.coordinator.items import Stage
from pytest_ptc.coordinator.running import stopped_report
from pytest_ptc.coordinator.schedule import (
    Action,
    Assign,
    GiveUp,
    GiveUpReady,
    Launch,
    Limits,
    plan,
)
from pytest_ptc.model.lifecycle import TaskState
from pytest_ptc.model.panel import Decision, VoteState, decide, needed_passes
from pytest_ptc.model.result import Attempt, AttemptReport, Kept, Usage
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Finding, Severity, Verdict, VerdictKind

if TYPE_CHECKING:
    from pytest_ptc.coordinator.item_tasks import Task
    from pytest_ptc.coordinator.items import Item
    from pytest_ptc.model.result import Result

#: Lines of a file that findings are at: no two of them are one place.
LINES = (10, 50, 90)
DECIDED = Trouble(cause=Cause.DECIDED, message="the other votes had decided")
STOPPED = Trouble(cause=Cause.TASK_STOPPED, message="somebody has stopped it")
CRASH = Trouble(cause=Cause.AGENT_FAILED, message="it crashed")
LOST = Trouble(cause=Cause.WORKER_LOST, message="its worker died")
LOGIN = Trouble(cause=Cause.LOGIN, message="nobody is logged in")

#: No more is submitted while so many items are open.
MOST_OPEN = 5


@dataclass(frozen=True)
class Answer:
    """What a conversation comes to.

    Args:
        kind: A verdict; None for a trouble that no other attempt fixes.
        lines: Where its findings are.
        crashes: How many attempts crash before.
    """

    kind: VerdictKind | None = VerdictKind.PASS
    lines: tuple[int, ...] = ()
    crashes: int = 0

    def of_attempt(self, number: int) -> Verdict | Trouble:
        """Return what the attempt of this number comes to."""
        if number <= self.crashes:
            return CRASH
        if self.kind is None:
            return LOGIN
        findings = tuple(
            Finding(severity=Severity.HIGH, message=f"at {line}", path="a.py", line=line)
            for line in self.lines
        )
        return Verdict(verdict=self.kind, summary="said", findings=findings)

    def state(self, retries: int) -> VoteState:
        """Return what a vote comes to that answers so."""
        if self.crashes > retries or self.kind in (None, VerdictKind.ERROR):
            return VoteState.MISSING
        return VoteState(self.kind.value)


@dataclass
class Asked:
    """An item as it was submitted, and all that would be said of it."""

    id: str
    spec: TaskSpec
    needs: tuple[str, ...]
    answers: tuple[Answer, ...]
    #: The lines of findings that every verifier refutes, and of those of which none says anything.
    refuted: frozenset[int]
    unsaid: frozenset[int]
    results: list[Result] = field(default_factory=list)
    #: Whether something has kept it from being judged as it would have been.
    disturbed: bool = False

    @property
    def wanted(self) -> Decision:
        """Return what all of its votes and all verifiers come to."""
        states = [answer.state(self.spec.retries) for answer in self.answers]
        needed = needed_passes(self.spec.quorum, self.spec.votes)
        whole = decide(states, needed)
        assert whole is not None
        if whole is not Decision.FAIL or not self.spec.verify:
            return whole
        anew = [
            VoteState.PASS if self._is_refuted(answer, state) else state
            for answer, state in zip(self.answers, states, strict=True)
        ]
        recount = decide(anew, needed)
        return Decision.FAIL if recount is Decision.NO_AGREEMENT else recount or Decision.FAIL

    def _is_refuted(self, answer: Answer, state: VoteState) -> bool:
        fails = state is VoteState.FAIL and bool(answer.lines)
        return fails and self.refuted.issuperset(answer.lines)


def decision_of(result: Result) -> Decision:
    """Return what a result says was decided."""
    if result.verdict is None or result.verdict.counts_as is VerdictKind.ERROR:
        return Decision.NO_AGREEMENT
    return Decision(result.verdict.counts_as.value)


lines = st.sets(st.sampled_from(LINES), max_size=2).map(lambda found: tuple(sorted(found)))
crashes = st.sampled_from([0, 0, 0, 1, 2])
answers = st.one_of(
    st.builds(Answer, st.just(VerdictKind.PASS), st.just(()), crashes),
    st.builds(Answer, st.just(VerdictKind.FAIL), lines, crashes),
    st.builds(Answer, st.just(VerdictKind.FAIL), st.just((10,)), crashes),
    st.builds(Answer, st.sampled_from([VerdictKind.SKIP, VerdictKind.ERROR, None]), st.just(())),
)


@st.composite
def panels(draw: st.DrawFn) -> tuple[TaskSpec, Asked, frozenset[int]]:
    """Return an item without an id and needs, and the numbers of its kept votes."""
    votes = draw(st.integers(1, 5))
    quorum = draw(st.one_of(st.sampled_from(["majority", "all"]), st.integers(1, votes).map(str)))
    spec = TaskSpec(
        nodeid="",
        prompt="Review it.",
        timeout=1e6,
        cwd="/",
        votes=votes,
        quorum=quorum,
        verify=draw(st.booleans()),
        retries=draw(st.integers(0, 2)),
        group=draw(st.sampled_from([None, None, "users", "orders"])),
        budget_usd=draw(st.sampled_from([None, None, 0.5])),
    )
    said = tuple(draw(st.lists(answers, min_size=votes, max_size=votes)))
    refuted = draw(st.frozensets(st.sampled_from(LINES)))
    unsaid = draw(st.frozensets(st.sampled_from(LINES), max_size=1)) - refuted
    kept = draw(st.frozensets(st.integers(1, votes), max_size=2)) if draw(st.booleans()) else ()
    judged = {
        number
        for number in kept
        if said[number - 1].state(spec.retries) in (VoteState.PASS, VoteState.FAIL)
    }
    return spec, Asked("", spec, (), said, refuted, unsaid), frozenset(judged)


class Machine(RuleBasedStateMachine):
    """One run; see the module."""

    def __init__(self) -> None:
        super().__init__()
        self.board = Board()
        self.now = 0.0
        self.limits = Limits(workers=1, max_worker_restart=10_000)
        self.asked: dict[str, Asked] = {}
        #: The item, and the number of the vote or the line of the finding, of each task.
        self.parts: dict[str, tuple[Asked, int]] = {}
        self.at_work: list[Attempt] = []
        self.graves: list[Attempt] = []
        #: Why tasks end that were told to.
        self.told: dict[str, Trouble] = {}
        #: Items whose verifiers are being published, and how often that was asked for.
        self.publishing: list[str] = []
        self.ids = 0
        self.stopped = False

    @initialize(workers=st.integers(1, 4), budget=st.sampled_from([None, None, None, 4.0]))
    def begin(self, workers: int, budget: float | None) -> None:
        """Begin a run."""
        self.limits = Limits(workers=workers, max_worker_restart=10_000, budget_usd=budget)

    # Items come.

    @precondition(lambda self: self.board.tasks.open < MOST_OPEN)
    @rule(panel=panels(), back=st.sampled_from([(), (), (), (1,), (1, 2)]))
    def submit(self, panel: tuple[TaskSpec, Asked, frozenset[int]], back: tuple[int, ...]) -> None:
        """Submit an item, which may need those before it."""
        spec, drawn, kept = panel
        before = list(self.asked)
        needs = tuple(before[-far] for far in back if far <= len(before))
        ballots = [
            Ballot(n, self._new_id(), self._kept(drawn, n) if n in kept else None)
            for n in range(1, spec.votes + 1)
        ]
        item_id = ballots[0].task_id
        asked = Asked(item_id, spec, needs, drawn.answers, drawn.refuted, drawn.unsaid)
        asked.disturbed = self.stopped
        self.asked[item_id] = asked
        self.parts.update((ballot.task_id, (asked, ballot.number)) for ballot in ballots)
        self.board.submitted(item_id, spec, needs, ballots)
        self.turn()

    # All goes on.

    @precondition(lambda self: self.at_work)
    @rule(place=st.integers(0, 9))
    def attempt_ends(self, place: int) -> None:
        """An attempt ends as it is known to, or as it was told to."""
        self._end(self.at_work.pop(place % len(self.at_work)))
        self.turn()

    @precondition(lambda self: self.publishing)
    @rule(place=st.integers(0, 9))
    def verifiers_are_published(self, place: int) -> None:
        """The tasks of verifiers are on the list now."""
        self._publish(self.publishing.pop(place % len(self.publishing)))
        self.turn()

    @rule(seconds=st.sampled_from([0.5, 2.0, 60.0]))
    def time_passes(self, seconds: float) -> None:
        """Backoffs end."""
        self.now += seconds
        self.turn()

    # Trouble.

    @precondition(lambda self: self.publishing)
    @rule(place=st.integers(0, 9))
    def verifiers_cannot_be_published(self, place: int) -> None:
        """The list takes no more tasks."""
        item_id = self.publishing.pop(place % len(self.publishing))
        self.asked[item_id].disturbed = True
        self.board.tasks.give_up_checks(item_id, "no task for it")
        self.turn()

    @precondition(lambda self: self.at_work)
    @rule(place=st.integers(0, 9))
    def worker_is_lost(self, place: int) -> None:
        """A worker dies at work."""
        attempt = self.at_work.pop(place % len(self.at_work))
        self.parts[attempt.task_id][0].disturbed = True
        self.board.died(attempt.worker, self.now)
        self.graves.append(attempt)
        self.turn()

    @precondition(lambda self: self.graves)
    @rule(place=st.integers(0, 9))
    def worker_is_buried(self, place: int) -> None:
        """What a worker left is ended, and then its attempt."""
        self._bury(self.graves.pop(place % len(self.graves)))
        self.turn()

    @precondition(lambda self: self._open_items)
    @rule(place=st.integers(0, 9))
    def item_is_stopped(self, place: int) -> None:
        """Somebody stops an item."""
        asked = self._open_items[place % len(self._open_items)]
        asked.disturbed = True
        working = self.board.tasks.give_up_item(asked.id, STOPPED)
        self.told.update(dict.fromkeys(working, STOPPED))
        self.turn()

    @precondition(lambda self: len(self.asked) > MOST_OPEN and not self.stopped)
    @rule()
    def run_is_stopped(self) -> None:
        """The run is stopped."""
        self._stop()

    # What follows.

    def turn(self) -> None:
        """Do what the schedule says until it says nothing more, as the supervisor does."""
        self.board.rested(self.now)
        view = {"priced": self.limits.budget_usd is not None}
        while actions := plan(self.board.view(**view), self.limits, self.now):
            for action in actions:
                self._act(action)
        self.publishing += [item.id for item in self.board.tasks.take_to_check()]
        for task_id in self.board.tasks.take_surplus():
            assert task_id not in self.told or self.told[task_id] is STOPPED, "told twice"
            self.told.setdefault(task_id, DECIDED)
        for result in self.board.take_results():
            self.asked[result.task_id].results.append(result)

    def _act(self, action: Action) -> None:
        match action:
            case Launch(worker):
                self.board.launched(worker, self.now)
                self.board.placed(worker, None, self.now)
                self.board.called_in(worker, self.now)
            case Assign(task_id, worker):
                self._look_at_begin(self.board.tasks[task_id])
                self.at_work.append(self.board.assigned(task_id, worker, self.now))
                self.board.begun(worker)
            case GiveUp(task_id, trouble):
                self.parts[task_id][0].disturbed = True
                self.board.gave_up(task_id, trouble)
            case GiveUpReady(trouble):
                for asked in self._open_items:
                    asked.disturbed = True
                self.board.gave_up_ready(trouble)
            case _:
                raise AssertionError(f"not here: {action}")

    def _look_at_begin(self, task: Task) -> None:
        """See that an attempt may begin that begins now."""
        item = task.item
        asked = self.asked[item.id]
        assert item.stopped is None
        assert item.result is None
        assert not self.stopped
        assert all(self._passed(need) for need in asked.needs)
        assert len(task.reports) <= task.spec.retries
        checks = [check for _, check in item.checks]
        assert item.stage is (Stage.CHECKING if task in checks else Stage.VOTING)
        if task not in checks:
            running = sum(vote.state is TaskState.RUNNING for vote in item.votes.values())
            passes = sum(self._has_passed(vote) for vote in item.votes.values())
            needed = needed_passes(asked.spec.quorum, asked.spec.votes)
            assert running < max(1, needed - passes), "more than could pass it together"
        group = task.spec.group
        at_work = [self.board.tasks[one.task_id].spec.group for one in self.at_work]
        assert group is None or group not in at_work

    @staticmethod
    def _has_passed(vote: Task) -> bool:
        report = vote.last_report
        return report is not None and report.verdict is not None and report.verdict.passed

    def _end(self, attempt: Attempt) -> None:
        asked, part = self.parts[attempt.task_id]
        is_check = any(task.id == attempt.task_id for _, task in self._item(asked.id).checks)
        how = self._verified(asked, part) if is_check else self._voted(asked, part, attempt)
        report = self._report(attempt, how)
        if (told := self.told.get(attempt.task_id)) is not None:
            ended = stopped_report(report, told)
            assert ended is not None
            report = ended
        self.board.ended(report, self.now)

    def _voted(self, asked: Asked, number: int, attempt: Attempt) -> Verdict | Trouble:
        return asked.answers[number - 1].of_attempt(attempt.number)

    def _verified(self, asked: Asked, line: int) -> Verdict | Trouble:
        if line in asked.unsaid:
            return LOGIN
        state = "REFUTED" if line in asked.refuted else "CONFIRMED"
        data = {"state": state, "quote": "x = 1"}
        return Verdict(verdict=VerdictKind.PASS, summary="looked", data=data)

    def _publish(self, item_id: str) -> None:
        asked, item = self.asked[item_id], self._item(item_id)
        checks = []
        for index, spec in item.wanted_checks:
            place = next(line for line in LINES if f"Place: a.py:{line}\n" in spec.prompt)
            checks.append(NewCheck(index, self._new_id(), spec))
            self.parts[checks[-1].task_id] = (asked, place)
        self.board.tasks.add_checks(item_id, checks)

    def _bury(self, attempt: Attempt) -> None:
        self.board.buried(attempt.worker, "it died", "")
        self.board.ended(self._report(attempt, LOST), self.now, by_worker=False)

    def _stop(self) -> None:
        self.stopped = True
        for asked in self._open_items:
            asked.disturbed = True
        self.board.stopped(Trouble(cause=Cause.STOPPED, message="the run was stopped"))
        self.turn()

    @staticmethod
    def _report(attempt: Attempt, how: Verdict | Trouble) -> AttemptReport:
        return AttemptReport(
            attempt=attempt,
            seconds=1,
            verdict=how if isinstance(how, Verdict) else None,
            trouble=None if isinstance(how, Verdict) else how,
            usage=Usage(cost_usd=0.125),
        )

    def _kept(self, asked: Asked, number: int) -> Kept:
        answer = asked.answers[number - 1]
        said = answer.of_attempt(answer.crashes + 1)
        attempt = Attempt(task_id=f"old {number}", number=1, worker="w1")
        return Kept(run_id="old", report=self._report(attempt, said))

    def _item(self, item_id: str) -> Item:
        item = self.board.tasks.item(item_id)
        assert item is not None
        return item

    def _new_id(self) -> str:
        self.ids += 1
        return str(self.ids)

    @property
    def _open_items(self) -> list[Asked]:
        return [asked for asked in self.asked.values() if not asked.results]

    def _passed(self, item_id: str) -> bool:
        result = self._item(item_id).result
        return result is not None and result.verdict is not None and result.verdict.passed

    # What holds after every step.

    @invariant()
    def counts_are_true(self) -> None:
        """What the board counts is what there is."""
        board, tasks = self.board, self.board.tasks
        open_tasks = [task for task in tasks if task.state is not TaskState.DONE]
        groups = [task.spec.group for task in open_tasks]
        assert tasks.open_tasks == len(open_tasks)
        assert tasks.open_at_once == groups.count(None) + len({*groups} - {None})
        results = [result for asked in self.asked.values() for result in asked.results]
        assert tasks.open == len(self.asked) - len(results)
        kinds = Counter(r.verdict.counts_as if r.verdict else VerdictKind.ERROR for r in results)
        assert +tasks.verdicts == kinds
        running = {task.id for task in tasks if task.state is TaskState.RUNNING}
        assert running == {attempt.task_id for attempt in [*self.at_work, *self.graves]}
        assert board.money.reserved.keys() == {
            attempt.name for attempt in [*self.at_work, *self.graves]
        }
        snapshot = board.snapshot()
        assert snapshot.queued >= 0
        assert snapshot.total == len(self.asked)

    @invariant()
    def no_task_is_forgotten(self) -> None:
        """The schedule finds each ready task, once; one that is blocked waits for something."""
        tasks = self.board.tasks
        ready = [task.id for task in tasks if task.state is TaskState.READY]
        resting = [task_id for _, task_id in tasks.resting]
        assert sorted(ready) == sorted([*tasks.ready, *resting])
        for task in tasks:
            if task.state is TaskState.BLOCKED:
                assert task.unmet or any(
                    other.state is not TaskState.DONE or task.item.stage is Stage.CHECKING
                    for other in task.item.tasks
                    if other is not task
                )

    @invariant()
    def what_has_ended_is_over(self) -> None:
        """An item has one result, after which nothing waits and what is at work was told to end."""
        for asked in self.asked.values():
            item = self._item(asked.id)
            assert len(asked.results) == (item.stage is Stage.DONE)
            for task in item.tasks if asked.results else ():
                assert task.state in (TaskState.RUNNING, TaskState.DONE)
                assert (
                    task.state is TaskState.DONE
                    or task.id in self.told
                    or task.id in {attempt.task_id for attempt in self.graves}
                )

    @invariant()
    def results_are_right(self) -> None:
        """What an item came to is what all votes decide, and a pass has its quorum on record."""
        for asked in self.asked.values():
            for result in asked.results:
                self._look_at(result, asked)

    def _look_at(self, result: Result, asked: Asked) -> None:
        outside = result.trouble_outside
        doomed = not all(self._passed(need) for need in asked.needs)
        if outside is not None and outside.cause is Cause.NEEDS:
            assert doomed
        # A kept vote may decide before a need has failed; else that keeps it from being judged.
        elif not asked.disturbed and not doomed:
            wanted, came_to = asked.wanted, decision_of(result)
            reds = (Decision.FAIL, Decision.NO_AGREEMENT)
            # After refutations a fail among votes that do not agree may be one that was not cast.
            either = asked.spec.verify and wanted in reds and came_to in reds
            assert came_to is wanted or either
        if self._item(asked.id).stopped is not None and result.trouble is not None:
            assert result.trouble.cause is not Cause.NO_AGREEMENT, "it is why it was stopped"
        if result.verdict is not None and result.verdict.passed:
            self._look_at_pass(result, asked)

    def _look_at_pass(self, result: Result, asked: Asked) -> None:
        refuted: Counter[int] = Counter()
        last: dict[int, Verdict | None] = {}
        for report in result.reports:
            task_id = report.attempt.task_id
            if task_id.startswith("old "):
                last[int(task_id.split()[1])] = report.verdict
                continue
            part = self.parts[task_id][1]
            if part in LINES:
                assert report.verdict is not None or part not in asked.refuted or asked.disturbed
                refuted[part] += report.verdict is not None and part in asked.refuted
            else:
                last[part] = report.verdict
        verdicts = [verdict for verdict in last.values() if verdict is not None]
        named = Counter(one.line for verdict in verdicts for one in verdict.findings)
        passes = 0
        for verdict in verdicts:
            taken_back = bool(verdict.findings) and all(
                one.line is not None and refuted[one.line] >= min(named[one.line], 2)
                for one in verdict.findings
            )
            fails = verdict.verdict is VerdictKind.FAIL
            passes += verdict.verdict is VerdictKind.PASS or (fails and taken_back)
        assert passes >= needed_passes(asked.spec.quorum, asked.spec.votes)

    # The end.

    def teardown(self) -> None:
        """Every item comes to its end without further trouble, and every task of it."""
        for _ in range(1000):
            if not (self.board.tasks.open_tasks or self._open_items):
                break
            for attempt in [self.graves.pop() for _ in list(self.graves)]:
                self._bury(attempt)
            for item_id in [self.publishing.pop() for _ in list(self.publishing)]:
                self._publish(item_id)
            self.turn()
            for attempt in [self.at_work.pop() for _ in list(self.at_work)]:
                self._end(attempt)
            self.time_passes(60.0)
        assert not self.board.tasks.open_tasks
        assert not self._open_items
        self.counts_are_true()
        self.what_has_ended_is_over()
        self.results_are_right()


@pytest.mark.parametrize("runs", [60, pytest.param(600, marks=pytest.mark.slow)])
def test_early_or_late_votes_decide_the_same(runs: int) -> None:
    """In many runs, every item ends once, as all of its votes and verifiers would have it."""
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=runs,
            stateful_step_count=40,
            # To make a failing run shorter takes minutes, and hardly makes it plainer.
            phases=[Phase.reuse, Phase.generate],
        ),
    )
