"""Whether a run is green is decided by a table: what was recorded, and what was reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_ptc.session.gate import (
    Standing,
    is_judged,
    is_true,
    reasons,
    shortfall,
    without_workers,
)
from tests.support.results import CRITICAL, result

if TYPE_CHECKING:
    from pytest_ptc.model.result import Result

OUTCOMES = (None, "passed", "failed", "error", "skipped", "xfailed", "xpassed")
RED = {"failed", "error"}


#: What was recorded, and with which reported outcomes a run may be green.
ROWS = [
    pytest.param(result("pass"), {"passed", "skipped", "xfailed", "xpassed"}, id="pass"),
    pytest.param(result("fail"), {"xfailed"}, id="fail"),
    pytest.param(
        result("fail", gate=False), {"passed", "skipped", "xfailed", "xpassed"}, id="fail, no gate"
    ),
    pytest.param(
        result("pass", findings=CRITICAL, fail_on="high"), {"xfailed"}, id="pass, blocked"
    ),
    pytest.param(
        result("skip", findings=CRITICAL, fail_on="high"), {"xfailed"}, id="skip, blocked"
    ),
    pytest.param(
        result("pass", findings=CRITICAL, fail_on="high", gate=False),
        {"passed", "skipped", "xfailed", "xpassed"},
        id="pass, blocked, no gate",
    ),
    pytest.param(result("error"), set(), id="error"),
    pytest.param(result(None), set(), id="trouble"),
    pytest.param(None, {"skipped"}, id="no task"),
]


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize(("ended", "green"), ROWS)
def test_what_was_reported_must_fit_what_was_recorded(
    ended: Result | None, green: set[str], outcome: str | None
) -> None:
    """Pytest counts what is red; of all else, only these pairs are an outcome made of a verdict."""
    assert (shortfall(Standing("t", outcome, ended)) is None) == (outcome in green | RED)


@pytest.mark.parametrize("outcome", [None, "skipped", "xfailed"])
def test_an_item_whose_marks_do_not_run_it_lacks_nothing(outcome: str | None) -> None:
    """That is the suite's own word; a body that ran all the same is another matter."""
    assert shortfall(Standing("t", outcome, excused=True)) is None
    assert shortfall(Standing("t", "passed", excused=True)) is not None


def test_a_fail_behind_it_is_a_failure_and_nothing_else_is() -> None:
    """By that the exit status is told apart."""
    hidden = shortfall(Standing("t", "passed", result("fail")))
    missing = shortfall(Standing("t", None, result("pass")))
    assert hidden is not None
    assert missing is not None
    assert (hidden.failed, missing.failed) == (True, False)


@pytest.mark.parametrize(
    ("kind", "outcome", "judged"),
    [
        ("pass", "passed", True),
        ("pass", "failed", True),
        ("fail", "failed", True),
        ("fail", "xfailed", True),
        ("skip", "skipped", False),
        ("skip", "passed", False),
        ("pass", "skipped", False),
        ("pass", None, False),
        ("error", "error", False),
        (None, "error", False),
    ],
)
def test_a_skip_is_no_judgement(kind: str | None, outcome: str | None, judged: bool) -> None:
    """Be it the agent's, or that of the test after a verdict of pass."""
    assert is_judged(Standing("t", outcome, result(kind))) is judged


PASSED = Standing("a", "passed", result("pass"))
SKIPPED = Standing("b", "skipped", excused=True)
DESELECTED = Standing("c", selected=False)
EMPTY = Standing("d", "passed", empty=True)


@pytest.mark.parametrize(
    ("items", "require", "green"),
    [
        ([PASSED, SKIPPED, DESELECTED], "", True),
        ([PASSED], "all", True),
        ([PASSED, SKIPPED], "all", False),
        ([PASSED, DESELECTED], "all", False),
        ([], "all", False),
        ([EMPTY], "all", True),
        ([EMPTY, PASSED], "2", True),
        ([PASSED, SKIPPED], "1", True),
        ([PASSED, SKIPPED], "2", False),
        ([], "1", False),
        ([], "", True),
    ],
)
def test_what_is_required_is_judged(items: list[Standing], require: str, green: bool) -> None:
    """A test that is skipped, left out, or not there, is not judged."""
    assert (reasons(items, require=require) == []) is green


def test_a_reason_counts_and_names_three() -> None:
    """A reader sees how many there are, and where to begin."""
    (reason,) = reasons([Standing(name) for name in "abcde"])
    assert reason.text == "5 not judged: a, b, c, +2 more"


def test_a_skip_that_is_an_error_and_work_that_nobody_awaited_are_told() -> None:
    """Each with its own words; neither is a recorded fail."""
    skip = Standing("a", "error", result("skip", on_skip="error"))
    told = reasons([skip], unawaited=["t::submit[1]"])
    assert [reason.failed for reason in told] == [False, False]
    assert "ptc_on_skip" in told[0].text
    assert "t::submit[1]" in told[1].text


def test_without_workers_a_gate_with_marked_tests_is_not_green() -> None:
    """Where nobody asked for one, or nothing is marked, pytest is as plain as ever."""
    assert without_workers([], ["a"]) is None
    assert without_workers(["--ptc-exit-codes"], []) is None
    reason = without_workers(["--ptc-exit-codes", "--ptc-json"], ["a"])
    assert reason is not None
    assert "--ptc-exit-codes, --ptc-json ask for a gate" in reason.text


@pytest.mark.parametrize(
    ("value", "true"),
    [(None, False), ("", False), ("0", False), ("False", False), ("true", True), ("1", True)],
)
def test_a_variable_is_true_as_ci_systems_have_it(value: str | None, true: bool) -> None:
    """GitHub and GitLab set `CI=true`; people unset it in many ways."""
    assert is_true(value) is true


def test_a_test_sees_a_pass_as_the_gate_does() -> None:
    """One meaning of pass: a finding as bad as `fail_on` is none, `gate=False` or not."""
    for gate in (True, False):
        ended = result("pass", findings=CRITICAL, fail_on="high", gate=gate)
        assert ended.shown_verdict is not None
        assert not ended.shown_verdict.passed
        assert ended.refused is gate
    below = result("pass", findings=CRITICAL, fail_on="verdict").shown_verdict
    assert below is not None
    assert below.passed
