"""What kept runs judged, from their journals: which input, by whom, within a bound."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.model.agreement import Flips
from pytest_ptc.model.verdict import VerdictKind
from pytest_ptc.reporting.statistics import (
    flaky_now,
    flaky_text,
    statistics_json,
    statistics_lines,
    suite_statistics,
)
from pytest_ptc.runs.glance import RunFolder
from pytest_ptc.runs.history import read_history
from tests.support.documents import events_from
from tests.support.journals import KEY, began, write_story

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_ptc.journal.judgements import Judgement, RunJudgements

CONTENT = {"tree": "t1", "named": "", "agent": "", "stat": "s", "problem": None}
PASS, FAIL, SKIP = VerdictKind.PASS, VerdictKind.FAIL, VerdictKind.SKIP


def verdict(kind: str, *findings: dict[str, Any]) -> dict[str, Any]:
    found = [{"message": "m", **finding} for finding in findings]
    return {"verdict": kind, "summary": "s", "findings": found, "data": None}


def judged(
    said: dict[str, Any] | None,
    nodeid: str = "a.py::test_it",
    *,
    content: dict[str, Any] | None = CONTENT,
    parts: dict[str, str] | None = None,
    cost: float | None = 0.5,
    votes: Sequence[dict[str, Any] | None] = (),
    spared: Sequence[str] = (),
    **spec: Any,
) -> list[dict[str, Any]]:
    """Return the events of one item; with votes, what it says is what they come to."""
    asked = {
        "nodeid": nodeid,
        "source": nodeid.partition("::")[0],
        "votes": len(votes) or 1,
        **spec,
    }
    told: list[dict[str, Any]] = [
        {"event": "submitted", "task": nodeid, "spec": asked, "fingerprint": parts or {"p": "1"}}
    ]
    for number, one in enumerate(votes or [said], 1):
        task = nodeid if number == 1 else f"{nodeid} {number}"
        if number > 1:
            vote = {"event": "vote", "task": task, "item": nodeid, "number": number}
            told.append({**vote, "fingerprint": {"p": str(number)}})
        told += _attempt(task, one, content, cost)
    if votes:
        trouble = None if said else {"cause": "no agreement", "message": "m", "evidence": ""}
        decided = {"event": "decided", "item": nodeid, "verdict": said, "trouble": trouble}
        told.append({**decided, "spared": list(spared)})
    return told


def _attempt(
    task: str, said: dict[str, Any] | None, content: dict[str, Any] | None, cost: float | None
) -> list[dict[str, Any]]:
    numbers = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
    usage = {**dict.fromkeys(numbers, 1), "cost_usd": cost}
    trouble = None if said else {"cause": "timeout", "message": "m", "evidence": ""}
    ended = {"task": task, "attempt": 1, "seconds": 2.0, "about": {}, "usage": usage}
    return [
        {"event": "assigned", "attempt": f"{task}.1", "worker": "w1", "content": content},
        {"event": "ended", **ended, "verdict": said, "trouble": trouble},
    ]


def written(folder: Path, *items: list[dict[str, Any]]) -> RunFolder:
    """Write the journal of a run of these items, and return where it is."""
    ticks = count()
    told = [{**event, "at": float(next(ticks))} for item in items for event in item]
    write_story(folder, [began(run_id=folder.name), *events_from(told)])
    return RunFolder(folder, folder.parents[4])


@pytest.fixture(name="runs")
def _runs(tmp_path: Path) -> Path:
    folder = tmp_path / "cache/d/ptc/runs"
    folder.mkdir(parents=True, mode=0o700)
    return folder


def only(runs: Path, *items: list[dict[str, Any]]) -> Judgement:
    """Return the one judgement of a run of these items."""
    (run,) = read_history([written(runs / "r1", *items)], KEY).runs
    (one,) = run.judgements
    return one


def finding(severity: str, **facts: str) -> dict[str, Any]:
    return {"severity": severity, **({"facts": facts} if facts else {})}


@pytest.mark.parametrize(
    ("said", "fail_on", "kind"),
    [
        (verdict("pass"), "verdict", PASS),
        (verdict("fail"), "verdict", FAIL),
        (verdict("skip"), "verdict", SKIP),
        (verdict("error"), "verdict", None),
        (None, "verdict", None),
        (verdict("pass", finding("high")), "verdict", PASS),
        (verdict("pass", finding("high")), "high", FAIL),
        (verdict("pass", finding("high")), "critical", PASS),
        (verdict("pass", finding("high", excuse="refuted")), "high", PASS),
        (verdict("pass", finding("high", excuse="known")), "high", FAIL),
        (verdict("fail", finding("high", excuse="refuted")), "verdict", PASS),
        (verdict("fail", finding("high", excuse="known")), "verdict", FAIL),
        (verdict("fail", finding("high", excuse="outvoted")) | {"stands": True}, "verdict", FAIL),
    ],
)
def test_a_judgement_is_what_agents_said(
    runs: Path, said: dict[str, Any] | None, fail_on: str, kind: VerdictKind | None
) -> None:
    """By the task's threshold, and with what agents refuted; what a person excuses is no part."""
    assert only(runs, judged(said, fail_on=fail_on)).kind is kind


def test_a_panel_judges_by_what_its_votes_come_to(runs: Path) -> None:
    """A vote without a verdict counts among them; time and cost are those of all."""
    votes = [verdict("pass"), None, verdict("pass")]
    one = only(runs, judged(verdict("pass"), votes=votes))
    assert one.kind is PASS
    assert one.votes == (PASS, None, PASS)
    assert (one.seconds, one.cost_usd) == (6.0, 1.5)
    assert only(runs, judged(None, votes=votes)).kind is None
    spared = only(runs, judged(verdict("pass"), votes=votes, spared=["a.py::test_it 2"]))
    assert spared.votes == (PASS, PASS)


def test_an_input_is_all_that_a_judgement_depends_on(runs: Path) -> None:
    """Words, files, threshold and panel; where the files are not known, nor is the input."""
    told = [
        judged(verdict("pass")),
        judged(verdict("fail"), cost=None),
        judged(verdict("pass"), parts={"p": "2"}),
        judged(verdict("pass"), content={**CONTENT, "tree": "t2"}),
        judged(verdict("pass"), fail_on="low"),
        judged(verdict("pass"), verify=True),
        judged(verdict("pass"), "b.py::test_it"),
        judged(verdict("pass"), content=None),
        judged(verdict("pass"), content={**CONTENT, "problem": "no git"}),
    ]
    inputs = [only(runs, item).input for item in told]
    assert inputs[0] == inputs[1] is not None
    assert len(set(inputs[1:7])) == 6
    assert inputs[7:] == [None, None]


def test_a_kept_verdict_is_no_judgement_of_its_run(runs: Path) -> None:
    """Nor is an item that nobody was asked about."""
    kept = [{"event": "kept", "nodeid": "a.py::test_k", "run": "r0", "content": CONTENT}]
    kept[0] |= {"spec": {"nodeid": "a.py::test_k"}, "report": {"verdict": verdict("pass")}}
    waiting = judged(verdict("pass"), "a.py::test_w")[:1]
    assert only(runs, judged(verdict("pass"))).nodeid == "a.py::test_it"
    folder = runs / "r1"
    report = {
        "attempt": 1,
        "worker": "w1",
        "seconds": 1.0,
        "trouble": None,
        "usage": None,
        "about": {},
    }
    kept[0]["report"] |= report  # type: ignore[operator]
    (run,) = read_history([written(folder, kept, waiting)], KEY).runs
    assert run.judgements == ()


def test_only_what_is_proved_and_fits_is_read(runs: Path) -> None:
    """The newest first; what is refused says why."""
    folders = [written(runs / f"r{number}", judged(verdict("pass"))) for number in range(4)]
    story = runs / "r2" / "journal.jsonl"
    story.write_bytes(story.read_bytes().replace(b'"pass"', b'"fail"'))
    history = read_history(folders, KEY, most=3)
    assert [run.run_id for run in history.runs] == ["r1", "r3"]
    assert [(one.run_id, "changed" in one.reason) for one in history.refused] == [("r2", True)]
    assert history.left_out == 1
    history = read_history(folders, KEY, max_bytes=1)
    assert ([run.run_id for run in history.runs], history.left_out) == (["r3"], 3)


def history_of(runs: Path, *told: list[list[dict[str, Any]]]) -> list[RunJudgements]:
    folders = [written(runs / f"r{number}", *items) for number, items in enumerate(told)]
    return read_history(folders, KEY).runs


def test_statistics_are_those_of_each_suite(runs: Path) -> None:
    """Flips and agreement on the same input, pass^k of votes, medians, and what is flaky."""
    votes = [verdict("pass"), verdict("pass"), verdict("fail")]
    steady = judged(verdict("pass"), "a.py::test_steady")
    panel = judged(verdict("pass"), "b.py::test_panel", votes=votes, cost=None)
    told = history_of(
        runs,
        [judged(verdict("pass")), steady, panel],
        [judged(verdict("fail")), steady],
        [judged(verdict("pass"), parts={"p": "2"}), steady],
    )
    first, second = suite_statistics(told)
    assert (first.suite, first.items, first.judgements) == ("a.py", 2, 6)
    assert first.flips == Flips(repeats=3, flips=1)
    assert (first.median_seconds, first.median_cost_usd) == (2.0, 0.5)
    assert [(one.nodeid, [told.kind for told in one.verdicts]) for one in first.flaky] == [
        ("a.py::test_it", [PASS, FAIL])
    ]
    assert second.pass_power == (2 / 3, 1 / 3, 0.0)
    assert list(statistics_lines([first, second], 3)) == [
        "3 runs, 2 suites",
        "a.py: 2 items, 6 judgements",
        "  median of a judgement: 2.0 s, $0.50",
        "  the same input judged again: 3 times, 1 flip (33.3%), agreement alpha 0.00",
        "  flaky a.py::test_it: pass in r0, fail in r1",
        "b.py: 1 item, 1 judgement",
        "  median of a judgement: 6.0 s",
        "  the same input judged again: never",
        "  votes: pass^1 0.67, pass^2 0.33, pass^3 0.00",
    ]
    made = statistics_json([first, second], ["r0", "r1", "r2"])
    assert made["suites"][0]["flaky"][0]["verdicts"][1] == {"run": "r1", "verdict": "fail"}


def test_what_is_flaky_now_names_the_last_run_that_said_otherwise(runs: Path) -> None:
    """What agrees with all earlier runs is not named, nor what was flaky and is not judged now."""
    old = judged(verdict("pass"), "a.py::test_old")
    *earlier, now = history_of(
        runs,
        [judged(verdict("fail")), old],
        [judged(verdict("pass")), judged(verdict("fail"), "a.py::test_old")],
        [judged(verdict("fail")), judged(verdict("pass"), "a.py::test_new")],
    )
    (item,) = flaky_now(now, earlier)
    assert flaky_text(item) == "a.py::test_it: fail; the same input: pass in run r1"
