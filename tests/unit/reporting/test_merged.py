"""A finding that several items name is one, and no report of it is greener than the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.model.verdict import Excuse, Severity
from pytest_ptc.reporting.formats.github import annotation_lines, step_summary
from pytest_ptc.reporting.formats.gitlab import gitlab
from pytest_ptc.reporting.formats.sarif import sarif
from pytest_ptc.reporting.issues import issues_of
from pytest_ptc.reporting.merged import merged_findings
from pytest_ptc.reporting.result_lines import result_lines
from pytest_ptc.reporting.terminal.brief import brief_summary
from pytest_ptc.reporting.terminal.summary import summary
from tests.support.documents import Item, finding, run_of

if TYPE_CHECKING:
    from collections.abc import Sequence

SARIF_SCHEMA = json.loads((Path(__file__).parents[2] / "data/sarif-2.1.0.schema.json").read_text())

#: As three items name one thing, the last of which has no gate.
THING: dict[str, Any] = {"path": "src/a.py", "rule": "sql"}
THREE = (
    Item(
        "t.py::test_a",
        "failed",
        "fail",
        (finding("medium", "in words", line=9, facts={"anchor": "f00"}, **THING),),
    ),
    Item("t.py::test_b", "passed", "pass", (finding("info", "x", path="src/b.py"),)),
    Item("t.py::test_c", findings=(finding("low", "others", line=10, **THING),)),
    Item(
        "t.py::test_d",
        "passed",
        "fail",
        (finding("high", "worst", line=9, facts={"anchor": "f00"}, **THING),),
        spec={"gate": False},
    ),
)


def test_every_report_has_it_once() -> None:
    """With the worst severity and words, by whom it was found, and as a failure if it is one."""
    run = run_of(*THREE)
    one, other = issues_of(run)
    assert (one.severity, one.message, one.line, one.fails) == (Severity.HIGH, "worst", 9, True)
    assert one.found_by == "found by 3 of 4 items: t.py::test_d, t.py::test_a, t.py::test_c"
    assert other.found_by == "t.py::test_b"

    whole = sarif(run)
    jsonschema.validate(whole, SARIF_SCHEMA)
    result, _ = whole["runs"][0]["results"]
    assert (result["level"], result["properties"]["foundBy"]) == (
        "error",
        {"items": 3, "judged": 4},
    )
    assert [
        (place["message"]["text"], place["physicalLocation"]["region"]["startLine"])
        for place in result["relatedLocations"]
    ] == [("t.py::test_a: in words", 9), ("t.py::test_c: others", 10)]

    assert [entry["severity"] for entry in gitlab(run)] == ["critical", "info"]
    error, notice = annotation_lines(run)
    assert error.startswith("::error file=src/a.py,line=9,title=high sql%3A ")
    assert "t.py%3A%3Atest_d and 2 other items::worst" in error
    assert notice.startswith("::notice ")
    told = step_summary(run)
    assert told.count("worst") == 1
    assert "`t.py::test_d` and 2 other items" in told
    not_passed = told.partition("### Not passed")[2].partition("###")[0]
    assert "test_a" in not_passed
    assert "test_d" not in not_passed


def test_it_is_the_same_alert_whoever_finds_it() -> None:
    """Another run's items may be others, in other words; its line's text tells what it is."""
    prints = {
        issue.fingerprint
        for items in (THREE, THREE[:1], THREE[3:], reversed(THREE))
        for issue in issues_of(run_of(*items))
        if issue.rule == "sql"
    }
    assert len(prints) == 1


def test_a_rule_in_a_whole_file_is_the_same_alert_in_other_words() -> None:
    first, second = (
        [issue.fingerprint for issue in issues_of(run_of(Item(findings=(told,))))]
        for told in (finding("low", "a", **THING), finding("low", "b", **THING))
    )
    assert first == second


def test_it_is_excused_or_expected_only_where_all_say_so() -> None:
    """One item's excuse is none for another."""
    known = finding("low", line=9, facts={"excuse": "known", "why": "old"}, **THING)
    excused = Item("t.py::test_a", findings=(known,))
    (one,) = merged_findings(run_of(excused, THREE[0]))
    assert (one.excuse, one.fails, one.severity) == (None, True, Severity.MEDIUM)
    (one,) = merged_findings(run_of(excused, excused._replace(nodeid="t.py::test_b")))
    assert (one.excuse, one.fails) == (Excuse.KNOWN, False)
    expected = THREE[0]._replace(nodeid="t.py::test_x", outcome="xfailed")
    (issue,) = issues_of(run_of(expected, THREE[0]))
    assert not issue.expected
    assert gitlab(run_of(expected, THREE[0]))
    assert gitlab(run_of(expected)) == []


FINDINGS = st.lists(
    st.builds(
        finding,
        st.sampled_from(["info", "low", "high", "critical"]),
        st.sampled_from(["m", "n"]),
        path=st.sampled_from(["a.py", "/repo/a.py", "/etc/b", None]),
        line=st.none() | st.integers(1, 9),
        rule=st.sampled_from([None, "r1", "r2"]),
        facts=st.sampled_from([{}, {}, {"excuse": "known"}]),
    ),
    max_size=4,
).map(tuple)
ITEMS = st.lists(st.tuples(st.sampled_from(["pass", "fail"]), FINDINGS, st.booleans()), max_size=5)


def items_of(told: Sequence[tuple[str, tuple[dict[str, Any], ...], bool]]) -> list[Item]:
    return [
        Item(
            f"t.py::test_{number}",
            "failed" if verdict == "fail" else "passed",
            verdict,
            findings,
            spec={"gate": gate, "fail_on": "high"},
        )
        for number, (verdict, findings, gate) in enumerate(told)
    ]


@given(ITEMS, st.randoms(use_true_random=False))
def test_the_order_of_items_changes_no_report(told: list[Any], random: Any) -> None:
    items = items_of(told)
    shuffled = list(items)
    random.shuffle(shuffled)

    def seen(items: Sequence[Item]) -> list[tuple[object, ...]]:
        return sorted(
            (issue.fingerprint, issue.severity, issue.message, issue.line or 0, issue.fails)
            for issue in issues_of(run_of(*items))
            if not issue.at_test
        )

    assert seen(items) == seen(shuffled)


@given(ITEMS)
def test_nothing_is_dropped_and_nothing_is_better_than_it_was(told: list[Any]) -> None:
    """Each finding is in one, with the worst severity that stands, failing if any fails."""
    run = run_of(*items_of(told))
    merged = merged_findings(run)
    members = [(one.task.number, one.number) for each in merged for one in each.members]
    assert sorted(members) == [
        (task.number, number) for task in run.tasks for number in range(len(task.findings))
    ]
    for one in merged:
        standing = [member for member in one.members if member.stands] or one.members
        assert one.severity is max(
            (member.finding.severity for member in standing), key=lambda severity: severity.rank
        )
        failing = [member.task.is_failed_by(member.finding) for member in one.members]
        assert one.fails is any(failing)
        assert (one.excuse is None) is any(member.stands for member in one.members)


def test_the_terminal_has_a_line_for_it() -> None:
    """In the summary of a run, in brief, and beside each item's own finding."""
    run = run_of(*THREE)
    merged = merged_findings(run)
    for lines in (
        summary(run.as_collected, wall=1.0, journal="runs/r", width=80, merged=merged),
        brief_summary(run, journal="runs/r"),
    ):
        text = "\n".join(line.text for line in lines)
        assert (
            "1 finding in passing items: 1 info\n  - info src/b.py: x\n  | in t.py::test_b\n"
            "1 finding of several items:\n  - high src/a.py:9 sql: worst\n"
            "  | in 3 items: t.py::test_d, t.py::test_a, t.py::test_c\n"
        ) in text
    lines_of_findings = [line for line in result_lines(run, verbose=True) if "  - " in line]
    assert lines_of_findings[0] == "  - f1 medium src/a.py:9 sql: in words (in 3 items)"
    assert lines_of_findings[1] == "  - f2 info src/b.py: x"
