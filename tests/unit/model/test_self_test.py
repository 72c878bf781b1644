"""What a test of the judge comes to, and when a judge is blind."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.model.choices import FailOn
from pytest_ptc.model.item_states import ItemState, item_state
from pytest_ptc.model.ruling import Ruling, is_no_skip, ruling_on
from pytest_ptc.model.self_test import (
    Expectation,
    JudgedTest,
    JudgeOutcome,
    JudgeReport,
    Minimums,
    SelfTest,
    least_found,
    most_refused,
    names,
    outcome_of,
    outcome_text,
)
from pytest_ptc.model.verdict import Excuse, Finding, Severity, Verdict, VerdictKind
from tests.support.results import result

FOUND, MISSED, UNJUDGED = JudgeOutcome.FOUND, JudgeOutcome.MISSED, JudgeOutcome.UNJUDGED
CLEARED, REFUSED = JudgeOutcome.CLEARED, JudgeOutcome.REFUSED
CANARY = SelfTest(
    kind="canary", expect=Expectation(path="src/x.py", rules=("eval",), message="runs .* text")
)
CONTROL = SelfTest(kind="control")
NAMED = Finding(severity=Severity.LOW, message="m", path="src/x.py", line=3, rule="eval")
OTHER = Finding(severity=Severity.HIGH, message="m", path="src/y.py", line=3, rule="eval")


def came_to(
    test: SelfTest, kind: str | None, *findings: Finding, fail_on: str = "verdict"
) -> JudgeOutcome:
    """Return what a test comes to by a verdict; None for trouble."""
    verdict = kind and Verdict(verdict=VerdictKind(kind), summary="s", findings=findings)
    return outcome_of(test, verdict or None, cwd="/repo", fail_on=fail_on)


def test_a_panel_that_fails_refuses_a_control_whatever_was_outvoted() -> None:
    """Its votes of fail have no findings; the one that is there is another's."""
    outvoted = (NAMED.with_facts(excuse=Excuse.OUTVOTED),)
    failed = Verdict(verdict=VerdictKind.FAIL, summary="s", findings=outvoted, stands=True)
    assert outcome_of(CONTROL, failed, cwd="/repo", fail_on="verdict") is REFUSED
    assert outcome_of(CANARY, failed, cwd="/repo", fail_on="verdict") is MISSED


@pytest.mark.parametrize(
    ("changes", "expected", "named"),
    [
        ({}, {}, True),
        ({"path": "./src/x.py"}, {}, True),
        ({"path": "/repo/src/x.py"}, {}, True),
        ({"path": "x.py"}, {}, False),
        ({"path": None}, {}, False),
        ({"rule": "EVAL"}, {}, True),
        ({"rule": "Use of eval"}, {}, False),
        ({"rule": "use_of  Eval"}, {"rules": ("other", "use-of-eval")}, True),
        ({"rule": None}, {}, False),
        ({"rule": None, "message": "it runs any text"}, {}, True),
        ({"rule": None, "message": "it runs any text", "path": "src/y.py"}, {}, False),
        ({"rule": None}, {"message": None}, False),
        ({"line": 6}, {"line": 3}, True),
        ({"line": 7}, {"line": 3}, False),
        ({"line": None}, {"line": 3}, False),
        ({"line": 900}, {}, True),
    ],
)
def test_one_finding_names_place_and_defect(
    changes: dict[str, Any], expected: dict[str, Any], named: bool
) -> None:
    """Its path counts from the agent's directory; rule or message is enough, never neither."""
    assert CANARY.expect is not None
    assert names(replace(NAMED, **changes), replace(CANARY.expect, **expected), "/repo") is named


@pytest.mark.parametrize(
    ("kind", "findings", "fail_on", "of_canary", "of_control"),
    [
        (None, (), "verdict", UNJUDGED, UNJUDGED),
        ("error", (NAMED,), "info", UNJUDGED, UNJUDGED),
        ("skip", (NAMED,), "info", UNJUDGED, UNJUDGED),
        ("pass", (), "verdict", MISSED, CLEARED),
        ("pass", (NAMED,), "verdict", MISSED, CLEARED),
        ("pass", (NAMED,), "medium", MISSED, CLEARED),
        ("pass", (NAMED,), "low", FOUND, REFUSED),
        ("pass", (OTHER,), "low", MISSED, REFUSED),
        ("fail", (), "verdict", MISSED, REFUSED),
        ("fail", (OTHER,), "verdict", MISSED, REFUSED),
        ("fail", (OTHER, NAMED), "verdict", FOUND, REFUSED),
        # Its place and what it is are named, each in another finding.
        ("fail", (OTHER, replace(NAMED, rule="style")), "verdict", MISSED, REFUSED),
    ],
)
def test_a_planted_defect_is_named_and_not_merely_failed(
    kind: str | None,
    findings: tuple[Finding, ...],
    fail_on: str,
    of_canary: JudgeOutcome,
    of_control: JudgeOutcome,
) -> None:
    """And a defect that is named beside a pass would be let through."""
    assert came_to(CANARY, kind, *findings, fail_on=fail_on) is of_canary
    assert came_to(CONTROL, kind, *findings, fail_on=fail_on) is of_control


@pytest.mark.parametrize("fail_on", get_args(FailOn))
def test_every_threshold_can_be_met(fail_on: str) -> None:
    """A finding beside a pass finds what is planted if it is as bad as the threshold."""
    critical = replace(NAMED, severity=Severity.CRITICAL)
    found = MISSED if fail_on == "verdict" else FOUND
    assert came_to(CANARY, "pass", critical, fail_on=fail_on) is found


@pytest.mark.parametrize("excuse", Excuse)
def test_only_the_judge_takes_a_finding_back(excuse: Excuse) -> None:
    """Votes and verification are the judge; lists of known findings, and history, are not."""
    excused = NAMED.with_facts(excuse=excuse)
    taken = excuse in (Excuse.OUTVOTED, Excuse.REFUTED)
    assert came_to(CANARY, "fail", excused) is (MISSED if taken else FOUND)
    assert came_to(CONTROL, "fail", excused) is (CLEARED if taken else REFUSED)
    assert came_to(CANARY, "fail", excused, NAMED) is FOUND
    if taken:
        verdict = Verdict(verdict=VerdictKind.FAIL, summary="s", findings=(excused,))
        text = outcome_text(CANARY, verdict, MISSED, cwd="/repo")
        assert text == f"planted defect missed: its finding was {excuse}"


# --- rates

MOST_FOUND = Minimums("0.8", "")


def judged(
    found: int = 0,
    missed: int = 0,
    unjudged: int = 0,
    cleared: int = 0,
    refused: int = 0,
    *,
    minimums: Minimums = MOST_FOUND,
) -> JudgeReport:
    """Return how a judge did that came to so many of each."""
    outcomes = {
        CANARY: [FOUND] * found + [MISSED] * missed + [UNJUDGED] * unjudged,
        CONTROL: [CLEARED] * cleared + [REFUSED] * refused,
    }
    return JudgeReport.of(
        (
            JudgedTest(f"{test.kind}{number}", test, outcome)
            for test, every in outcomes.items()
            for number, outcome in enumerate(every)
        ),
        minimums,
    )


@pytest.mark.parametrize(
    ("total", "minimum", "least"),
    [
        (12, "0.8", 10),
        (10, "0.8", 8),
        (5, "0.8", 4),
        (1, "0.8", 1),
        (3, "0.1", 1),
        (10, "0.7", 7),
        (100, "0.29", 29),
        (7, "0", 0),
        (7, "1", 7),
        (7, "1.0", 7),
        (3, ".5", 2),
    ],
)
def test_a_share_is_exact(total: int, minimum: str, least: int) -> None:
    """As floats, 0.7 of 10 is 7.000000000000001, and 0.29 of 100 is 28.999999999999996."""
    assert least_found(total, minimum) == least
    assert most_refused(total, minimum) == least - (Fraction(minimum) * total != least)


@given(st.integers(1, 200), st.integers(0, 100))
def test_a_share_is_met_by_the_least_and_by_nothing_less(total: int, percent: int) -> None:
    """For every number and every share of two digits."""
    minimum = f"{percent / 100:.2f}"
    least, most = least_found(total, minimum), most_refused(total, minimum)
    assert least * 100 >= percent * total > (least - 1) * 100
    assert most * 100 <= percent * total < (most + 1) * 100


def test_of_twelve_planted_defects_fewer_than_ten_is_blind() -> None:
    """At 0.8, whoever missed the others."""
    for found in range(13):
        assert bool(judged(found, 12 - found).blind) is (found < 10)
        assert bool(judged(found, 0, 12 - found).blind) is (found < 10)


def test_a_blind_judge_is_told_from_one_that_could_not_be_asked() -> None:
    """The exit status of the first is that of a failure, of the second that of trouble."""
    (seen,) = judged(9, 3).blind
    (unasked,) = judged(9, 2, 1).blind
    assert (seen.judged, unasked.judged) == (True, False)
    assert seen.text == (
        "blind judge: 9 of 12 planted defects found, --ptc-min-catch=0.8 asks for 10; "
        "missed: canary9, canary10, canary11"
    )
    assert "canary11 (not judged)" in unasked.text


def test_false_alarms_have_a_maximum() -> None:
    """An item that nobody judged counts as one."""
    most = Minimums("", "0.2")
    assert judged(cleared=8, refused=2, minimums=most).blind == []
    (blind,) = judged(cleared=7, refused=3, minimums=most).blind
    assert blind.text.startswith(
        "blind judge: 3 of 10 controls failed, --ptc-max-false-alarm=0.2 allows 2: control7"
    )


def test_a_minimum_without_a_test_is_not_met() -> None:
    """Absence is never nothing to do, but where the run judges nothing at all."""
    assert [one.judged for one in judged(minimums=Minimums("0", "1")).blind] == [False, False]
    assert judged(minimums=Minimums()).blind == []
    nothing = JudgeReport.of([], Minimums("0.8", "0.2"), judges=False)
    assert nothing.blind == []
    assert nothing.text == ""


@given(*[st.integers(0, 6)] * 4)
def test_no_further_miss_makes_a_blind_judge_see(
    found: int, missed: int, unjudged: int, refused: int
) -> None:
    """The rates are monotone in what went wrong."""
    minimums = Minimums("0.6", "0.3")
    before = judged(found, missed, unjudged, 4, refused, minimums=minimums)
    worse = [
        judged(found, missed + 1, unjudged, 4, refused, minimums=minimums),
        judged(found, missed, unjudged + 1, 4, refused, minimums=minimums),
        judged(found, missed, unjudged, 4, refused + 1, minimums=minimums),
    ]
    assert all(len(one.blind) >= len(before.blind) for one in worse)


def test_a_line_has_the_numbers_first_and_then_names() -> None:
    """Where it is cut, the numbers stay."""
    assert judged(5, cleared=12).text == (
        "judge: 5 of 5 planted defects found, 0 of 12 controls failed"
    )
    assert judged(0, 4, cleared=1, refused=1).text == (
        "judge: 0 of 4 planted defects found, 1 of 2 controls failed; "
        "missed: canary0, canary1, canary2, +1 more; failed: control1"
    )
    assert judged(0, 1, 1).text == (
        "judge: 0 of 2 planted defects found; missed: canary0; not judged: canary1"
    )
    assert judged(1).text == "judge: 1 of 1 planted defect found"


# --- what becomes of its item


def ended_as(kind: str | None, test: SelfTest, *findings: Finding, tolerated: bool = False) -> Any:
    """Return the result of a test of the judge."""
    own = replace(test, tolerated=tolerated)
    return replace(
        result(kind, findings=findings, self_test=own),
        spec=replace(result(kind).spec, self_test=own, cwd="/repo"),
    )


@pytest.mark.parametrize("tolerated", [False, True])
def test_what_becomes_of_an_item_that_tests_the_judge(tolerated: bool) -> None:
    """A rate tolerates what was judged wrongly, and nothing that was not judged."""
    missed = Ruling.TOLERATED if tolerated else Ruling.FAILED
    rows = [
        (ended_as("fail", CANARY, NAMED, tolerated=tolerated), Ruling.FOUND),
        (ended_as("fail", CANARY, OTHER, tolerated=tolerated), missed),
        (ended_as("pass", CANARY, tolerated=tolerated), missed),
        (ended_as("pass", CONTROL, tolerated=tolerated), Ruling.BODY),
        (ended_as("fail", CONTROL, tolerated=tolerated), missed),
        (ended_as("skip", CANARY, NAMED, tolerated=tolerated), Ruling.SKIP_IS_ERROR),
        (ended_as("skip", CONTROL, tolerated=tolerated), Ruling.SKIP_IS_ERROR),
        (ended_as("error", CANARY, tolerated=tolerated), Ruling.ERROR),
        (ended_as(None, CANARY, tolerated=tolerated), Ruling.ERROR),
    ]
    kinds = {Ruling.FOUND: "pass", Ruling.BODY: "pass", missed: "fail"}
    for ended, ruling in rows:
        assert ruling_on(ended) is ruling
        skipped = ruling is Ruling.SKIP_IS_ERROR
        assert ended.kind == kinds.get(ruling, "skip" if skipped else "error")
        wrong = ruling in (Ruling.FAILED, Ruling.TOLERATED)
        unjudged = ruling in (Ruling.ERROR, Ruling.SKIP_IS_ERROR)
        assert is_no_skip("skipped", ended, expected=True) is (
            unjudged or (wrong and not tolerated)
        )


@pytest.mark.parametrize("outcome", [None, "passed", "skipped", "xfailed", "xpassed"])
@pytest.mark.parametrize("test", JudgeOutcome)
@pytest.mark.parametrize("tolerated", [False, True])
def test_no_report_of_pytest_makes_a_wrong_judgement_fine(
    outcome: str | None, test: JudgeOutcome, tolerated: bool
) -> None:
    """Whatever a plugin calls it; only a miss that is tolerated is an expected failure."""
    unjudged = test is UNJUDGED
    verdict = None if unjudged else "pass" if test in (MISSED, CLEARED) else "fail"
    cause = "timeout" if unjudged else None
    state = item_state(outcome, verdict=verdict, cause=cause, test=test, tolerated=tolerated)
    if outcome is None:
        assert state is (ItemState.UNREPORTED if test.good else ItemState.UNRESOLVED)
    elif unjudged:
        assert state is ItemState.ERROR
    elif test.good or (tolerated and outcome == "xfailed"):
        assert state is ItemState(outcome)
    else:
        assert state is ItemState.FAILED
