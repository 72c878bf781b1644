"""What a person sees of a panel: each vote, what it said, each verifier and what it quotes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ptc.model.verdict import Severity, VerdictKind
from pytest_ptc.reporting.finding_names import named_findings
from pytest_ptc.reporting.issues import issues_of
from pytest_ptc.reporting.page.page import page
from pytest_ptc.reporting.result_lines import result_lines
from pytest_ptc.reporting.story import run_report
from pytest_ptc.reporting.terminal.failure import failure_text
from pytest_ptc.reporting.terminal.item_details import item_lines
from tests.support.documents import events_from, finding

if TYPE_CHECKING:
    from pytest_ptc.reporting.run_report import RunReport
    from pytest_ptc.reporting.task_report import TaskReport

NODEID = "a.py::test_it"
PLACE = {"path": "src/a.py", "line": 3}
SPEC = {
    "votes": 3,
    "quorum": "majority",
    "verify": True,
    "voters": ["opus", "haiku"],
    "cwd": "/repo",
}
ASKED = (
    "Another reviewer reported a finding.\n\nSeverity: high\nPlace: src/a.py:3\n\n> Place: b.py:1\n"
)


def ended(
    task: str, kind: str, *found: dict[str, Any], data: object = None
) -> list[dict[str, Any]]:
    said = {"verdict": kind, "summary": f"{kind} of {task}", "findings": list(found), "data": data}
    report = {"seconds": 1.0, "trouble": None, "usage": None, "about": {}, "verdict": said}
    return [
        {"event": "assigned", "attempt": f"{task}.1", "worker": "w1"},
        {"event": "ended", "task": task, "attempt": 1, **report},
    ]


def panel(
    decided: dict[str, Any], *parts: list[dict[str, Any]], spared: tuple[str, ...]
) -> RunReport:
    """Return a run of one item with three votes, of what they and its verifiers said."""
    told: list[dict[str, Any]] = [
        {"event": "submitted", "task": "1", "spec": {"nodeid": NODEID, **SPEC}},
        {"event": "vote", "task": "2", "item": "1", "number": 2, "fingerprint": {}},
        {"event": "vote", "task": "3", "item": "1", "number": 3, "fingerprint": {}},
        {
            "event": "check",
            "task": "4",
            "item": "1",
            "finding": 0,
            "fingerprint": {},
            "spec": {"nodeid": NODEID, "prompt": ASKED},
        },
        *(event for part in parts for event in part),
        {"verdict": None, "trouble": None, **decided, "event": "decided", "item": "1"},
        {"event": "item", "nodeid": NODEID, "task": "1", "outcome": "failed", "phase": "call"},
    ]
    told[-2]["spared"] = list(spared)
    return run_report(events_from([{"event": "run"}, *({**event, "at": 1.0} for event in told)]))


def item_of(run: RunReport) -> tuple[TaskReport, str, str]:
    """Return its item, and the texts of its failure and of `ptc show`."""
    (task,) = run.tasks
    (found,) = named_findings(run)
    shown = item_lines(task, "it", found, run="r", journal=Path("j"), calls=(), session=None)
    return task, failure_text(task, "j"), "\n".join(shown)


def test_votes_and_verifiers_are_named_with_what_they_said() -> None:
    """Who votes, what was verified and by which line, and which vote was not needed."""
    bad = finding("high", "bad", **PLACE)
    refuted = {"excuse": "refuted", "why": "  ok = True", "named_by": 2, "votes": 3}
    run = panel(
        {
            "verdict": {
                "verdict": "fail",
                "summary": "s",
                "data": None,
                "findings": [
                    bad | {"facts": {"named_by": 1, "votes": 3, "check": "confirmed"}},
                    finding("critical", "none", path="src/b.py", line=1) | {"facts": refuted},
                ],
            }
        },
        ended("1", "fail", bad),
        ended("2", "fail"),
        ended("4", "pass", data={"state": "CONFIRMED", "quote": "  x = 1"}),
        spared=("3",),
    )
    task, failure, shown = item_of(run)
    assert '  - critical src/b.py:1 (2 of 3 votes, refuted: "ok = True"): none' in failure
    assert "vote 2 of 3 (haiku), attempt 1 on w1, 1.0 s: verdict fail" in failure
    assert 'verification of src/a.py:3, attempt 1 on w1, 1.0 s: confirmed: "x = 1"' in failure
    assert "vote 3 of 3 (opus): not needed" in failure
    assert "attempt 1.1, vote 1 of 3 (opus), w1, fail, 1.0 s\n  | fail of 1" in shown
    assert "attempt 4.1, verification of src/a.py:3, w1, confirmed, 1.0 s\n  | x = 1" in shown
    made = page(run)
    for text in ("votes: 2 fail, 1 not needed", "vote 3 of 3 (opus): not needed", "x = 1"):
        assert text in made
    assert [one.severity for one in task.findings if task.is_failed_by(one)] == [Severity.HIGH]
    assert made.count('<li class="excused"') == 2


def test_what_only_a_vote_found_is_shown_where_the_panel_came_to_nothing() -> None:
    """It is in no verdict: without it nobody would hear of it."""
    trouble = {"cause": "no agreement", "message": "vote 1: fail", "evidence": ""}
    run = panel(
        {"trouble": trouble},
        ended("1", "fail", finding("high", "bad", **PLACE)),
        ended("2", "pass"),
        ended("3", "skip"),
        spared=(),
    )
    _, failure, shown = item_of(run)
    assert "verdict fail\n  - high src/a.py:3: bad\nvote 2 of 3" in failure
    assert "  | fail of 1\n  - high src/a.py:3: bad\n" in shown
    assert "high src/a.py:3: bad" in page(run)


def test_a_panel_that_fails_without_findings_says_so_beside_what_was_outvoted() -> None:
    noted = finding("info", "noted", **PLACE)
    facts = {"excuse": "outvoted", "named_by": 1, "votes": 3}
    run = panel(
        {
            "verdict": {
                "verdict": "fail",
                "summary": "2 of 3 votes fail: it is bad",
                "data": None,
                "findings": [noted | {"facts": facts}],
                "stands": True,
            }
        },
        ended("1", "fail"),
        ended("2", "pass", noted),
        ended("3", "fail"),
        spared=(),
    )
    (task,) = run.tasks
    assert task.kind is VerdictKind.FAIL
    (fails,) = [issue for issue in issues_of(run) if issue.fails]
    assert fails.message == "2 of 3 votes fail: it is bad"


def test_an_excused_finding_does_not_look_like_the_reason() -> None:
    run = panel(
        {
            "verdict": {
                "verdict": "pass",
                "summary": "fine",
                "data": None,
                "findings": [
                    finding("high", "bad", **PLACE) | {"facts": {"excuse": "outvoted"}},
                ],
            }
        },
        ended("1", "pass"),
        ended("2", "pass"),
        spared=("3",),
    )
    assert "(outvoted high) src/a.py:3 bad" in result_lines(run)[0]
