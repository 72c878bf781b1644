"""Votes and verifiers of one item, step by step: what waits for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.coordinator.item_tasks import Ballot, NewCheck
from pytest_ptc.coordinator.items import Stage
from pytest_ptc.coordinator.tasks import Tasks
from pytest_ptc.model.lifecycle import TaskState
from pytest_ptc.model.result import Attempt, AttemptReport, Kept
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Finding, Severity, Verdict, VerdictKind

if TYPE_CHECKING:
    from pytest_ptc.coordinator.items import Item

PASS = Verdict(verdict=VerdictKind.PASS, summary="fine")
REFUTED = Verdict(
    verdict=VerdictKind.PASS, summary="no", data={"state": "REFUTED", "quote": "x = 1"}
)
CRASH = Trouble(cause=Cause.AGENT_FAILED, message="it crashed")
STOPPED = Trouble(cause=Cause.TASK_STOPPED, message="somebody has stopped it")


def fail(line: int) -> Verdict:
    found = Finding(severity=Severity.HIGH, message="bad", path="a.py", line=line)
    return Verdict(verdict=VerdictKind.FAIL, summary="bad", findings=(found,))


def report(task_id: str, how: Verdict | Trouble) -> AttemptReport:
    verdict, trouble = (how, None) if isinstance(how, Verdict) else (None, how)
    attempt = Attempt(task_id=task_id, number=1, worker="w1")
    return AttemptReport(attempt=attempt, seconds=1.0, verdict=verdict, trouble=trouble)


def panel(
    *, votes: int = 3, quorum: str = "all", retries: int = 0, kept: Verdict | None = None
) -> tuple[Tasks, Item]:
    """Return the tasks of a panel with verification, which needs an item that is ready."""
    tasks = Tasks()
    spec = TaskSpec(
        nodeid="i",
        prompt="Review it.",
        timeout=60,
        cwd="/",
        votes=votes,
        quorum=quorum,
        retries=retries,
        verify=True,
    )
    old = None if kept is None else Kept(run_id="old", report=report("old", kept))
    ballots = [Ballot(n, f"v{n}", old if n == 1 else None) for n in range(1, votes + 1)]
    needs = []
    if kept is not None:
        tasks.submit("need", TaskSpec(nodeid="need", prompt="p", timeout=60, cwd="/"), ())
        needs = ["need"]
    tasks.submit("v1", spec, needs, ballots)
    item = tasks.item("v1")
    assert item is not None
    return tasks, item


def end(tasks: Tasks, task_id: str, how: Verdict | Trouble) -> None:
    tasks.end(report(task_id, how), 0.0, retry=True)


def ask(tasks: Tasks, item: Item, *ids: str) -> None:
    """Take the tasks of the verifiers that are wanted."""
    wanted = zip(ids, item.wanted_checks, strict=True)
    tasks.add_checks(item.id, [NewCheck(index, name, spec) for name, (index, spec) in wanted])


def test_a_refuted_first_fail_ends_no_vote_and_the_others_decide() -> None:
    tasks, item = panel()
    for name in ("v1", "v2"):
        tasks.begin(name, "w1")
    end(tasks, "v1", fail(10))
    assert (item.stage, tasks.take_surplus()) == (Stage.CHECKING, [])
    assert list(tasks.ready) == [], "the third vote waits for the verifier"
    assert tasks["v3"].state is TaskState.BLOCKED
    ask(tasks, item, "c1")
    tasks.begin("c1", "w1")
    end(tasks, "c1", REFUTED)
    assert item.stage is Stage.VOTING
    assert list(tasks.ready) == ["v3"]
    end(tasks, "v2", PASS)
    tasks.begin("v3", "w1")
    end(tasks, "v3", PASS)
    (result,) = tasks.take_results()
    assert result.verdict is not None
    assert result.verdict.passed
    assert result.verdict.summary == "3 of 3 votes pass: fine"


def test_a_fail_that_stands_ends_the_votes_at_work() -> None:
    tasks, item = panel()
    for name in ("v1", "v2"):
        tasks.begin(name, "w1")
    end(tasks, "v1", fail(10))
    ask(tasks, item, "c1")
    tasks.begin("c1", "w1")
    end(tasks, "c1", CRASH)
    (result,) = tasks.take_results()
    assert result.refused
    assert tasks.take_surplus() == ["v2"]
    assert [vote.spared for vote in result.votes] == [False, True, True]
    assert tasks["v3"].state is TaskState.DONE


def test_a_vote_that_crashes_while_findings_are_checked_is_not_tried_again_before() -> None:
    tasks, item = panel(retries=1)
    for name in ("v1", "v2", "v3"):
        tasks.begin(name, "w1")
    end(tasks, "v1", fail(10))
    ask(tasks, item, "c1")
    end(tasks, "v2", CRASH)
    tasks.rested(1000.0)
    assert list(tasks.ready) == ["c1"]
    tasks.begin("c1", "w1")
    end(tasks, "c1", REFUTED)
    assert list(tasks.ready) == ["v2"]


def test_what_a_vote_finds_while_others_are_checked_is_checked_too() -> None:
    tasks, item = panel()
    for name in ("v1", "v2", "v3"):
        tasks.begin(name, "w1")
    end(tasks, "v1", fail(10))
    ask(tasks, item, "c1")
    end(tasks, "v2", fail(50))
    end(tasks, "v3", fail(11))
    assert tasks.take_to_check() == [item]
    tasks.begin("c1", "w1")
    end(tasks, "c1", REFUTED)
    # What two votes name has to be refuted once more, and the other thing once.
    assert tasks.take_to_check() == [item]
    assert len(item.wanted_checks) == 2
    ask(tasks, item, "c2", "c3")
    for name in ("c2", "c3"):
        tasks.begin(name, "w1")
        end(tasks, name, REFUTED)
    (result,) = tasks.take_results()
    assert result.verdict is not None
    assert result.verdict.passed
    assert [finding.facts.named_by for finding in result.verdict.findings] == [2, 1]


def test_verifiers_wait_for_what_their_item_needs() -> None:
    tasks, item = panel(kept=fail(10))
    assert item.stage is Stage.CHECKING
    ask(tasks, item, "c1")
    assert list(tasks.ready) == ["need"]
    tasks.begin("need", "w1")
    end(tasks, "need", PASS)
    assert list(tasks.ready) == ["c1"]
    tasks.begin("c1", "w1")
    end(tasks, "c1", REFUTED)
    assert list(tasks.ready) == ["v2", "v3"]


def test_verifiers_that_come_after_their_item_was_stopped_are_not_asked() -> None:
    tasks, item = panel()
    for name in ("v1", "v2"):
        tasks.begin(name, "w1")
    end(tasks, "v1", fail(10))
    assert tasks.give_up_item("v1", STOPPED) == ["v2"]
    ask(tasks, item, "c1")
    assert not tasks.ready
    end(tasks, "v2", STOPPED)
    (result,) = tasks.take_results()
    assert result.refused
    assert result.verdict is not None
    assert result.verdict.findings[0].facts.check == "not verified: stopped"
    assert tasks.open_tasks == 0


def test_votes_of_an_item_that_is_stopped_leave_it_stopped() -> None:
    """Not without agreement: nobody was asked any more."""
    tasks, _ = panel(quorum="majority")
    for name in ("v1", "v2"):
        tasks.begin(name, "w1")
    end(tasks, "v1", PASS)
    assert tasks.give_up_item("v1", STOPPED) == ["v2"]
    end(tasks, "v2", STOPPED)
    (result,) = tasks.take_results()
    assert result.trouble == STOPPED


def test_what_the_last_vote_of_a_stopped_item_finds_stands_unasked() -> None:
    tasks, _ = panel(votes=1)
    tasks.begin("v1", "w1")
    assert tasks.give_up_item("v1", STOPPED) == ["v1"]
    end(tasks, "v1", fail(10))
    assert tasks.take_to_check() == []
    (result,) = tasks.take_results()
    assert result.refused
    assert result.verdict is not None
    assert result.verdict.findings[0].facts.check == "not verified: stopped"


def test_where_no_verifier_can_be_asked_what_was_found_stands() -> None:
    tasks, item = panel(votes=1)
    tasks.begin("v1", "w1")
    end(tasks, "v1", fail(10))
    tasks.give_up_checks(item.id, "no task for it")
    (result,) = tasks.take_results()
    assert result.refused
    assert result.verdict is not None
    assert result.verdict.findings[0].facts.check == "not verified: machinery"


def test_votes_that_are_given_up_at_once_may_end_their_item_before_the_last() -> None:
    """As where none of them can be paid: the schedule names them all, from one look."""
    tasks, item = panel(quorum="majority")
    tasks.begin("v1", "w1")
    end(tasks, "v1", CRASH)
    dear = Trouble(cause=Cause.BUDGET, message="too dear")
    waiting = list(tasks.ready)
    assert waiting == ["v2", "v3"]
    for task_id in waiting:
        tasks.give_up(task_id, dear)
    assert item.stage is Stage.DONE
    (result,) = tasks.take_results()
    assert result.trouble is not None
    assert (result.trouble.cause, tasks.open, tasks.open_tasks) == (Cause.NO_AGREEMENT, 0, 0)
