"""Whether a run is green is decided by a table: what was recorded, and what was reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_ptc.model.greenness import (
    FAILED,
    NOT_JUDGED,
    PASSED,
    Reason,
    Standing,
    is_judged,
    reasons,
    session_status,
    shortfall,
    why_no_success,
    without_workers,
)
from pytest_ptc.model.item_states import BAD, ItemState
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
    pytest.param(result("skip", findings=CRITICAL, fail_on="high"), set(), id="skip, blocked"),
    pytest.param(
        result("pass", findings=CRITICAL, fail_on="high", gate=False),
        {"passed", "skipped", "xfailed", "xpassed"},
        id="pass, blocked, no gate",
    ),
    pytest.param(result("skip"), {"skipped"}, id="skip"),
    pytest.param(result("skip", gate=False), {"passed", "skipped", "xpassed"}, id="skip, no gate"),
    pytest.param(
        result("pass", findings=CRITICAL),
        {"passed", "skipped", "xfailed", "xpassed"},
        id="pass, found",
    ),
    pytest.param(result("error"), set(), id="error"),
    pytest.param(result("error", gate=False), set(), id="error, no gate"),
    pytest.param(result(None), set(), id="trouble"),
    pytest.param(result(None, gate=False), set(), id="trouble, no gate"),
    pytest.param(None, {"skipped"}, id="no task"),
]


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize(("ended", "green"), ROWS)
def test_what_was_reported_must_fit_what_was_recorded(
    ended: Result | None, green: set[str], outcome: str | None
) -> None:
    """Pytest counts what is red; of all else, only these pairs are an outcome made of a verdict."""
    assert (shortfall(Standing("t", outcome, ended)) is None) == (outcome in green | RED)


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize(("ended", "green"), ROWS)
def test_an_item_that_lacks_nothing_is_in_a_good_state_and_the_other_way_round(
    ended: Result | None, green: set[str], outcome: str | None
) -> None:
    """The exit status and every report tell the same of an item."""
    item = Standing("t", outcome, ended)
    assert (item.state in BAD) == (outcome not in green)


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
    ("outcome", "ended", "failed"),
    [("failed", result("fail"), True), ("failed", None, True), ("error", result(None), False)],
)
def test_what_pytest_has_reported_as_red_and_does_not_count_is_a_reason(
    outcome: str, ended: Result | None, failed: bool
) -> None:
    """A plugin has reset the exit status, or the count. Where pytest counts it, it is told once."""
    item = Standing("t", outcome, ended)
    assert reasons([item], counted=FAILED) == []
    (reason,) = reasons([item], counted=PASSED)
    assert reason.failed is failed
    assert reasons([item._replace(selected=False)], counted=PASSED) == []


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


JUDGED = Standing("a", "passed", result("pass"))
SKIPPED = Standing("b", "skipped", excused=True)
DESELECTED = Standing("c", selected=False)
EMPTY = Standing("d", "passed", empty=True)


@pytest.mark.parametrize(
    ("items", "require", "green"),
    [
        ([JUDGED, SKIPPED, DESELECTED], "", True),
        ([JUDGED], "all", True),
        ([JUDGED, SKIPPED], "all", False),
        ([JUDGED, DESELECTED], "all", False),
        ([], "all", False),
        ([EMPTY], "all", True),
        ([EMPTY, JUDGED], "2", True),
        ([JUDGED, SKIPPED], "1", True),
        ([JUDGED, SKIPPED], "2", False),
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


LOST = Reason("1 not judged: a")
HIDDEN = Reason("1 failed by verdict and not run: a", failed=True)


@pytest.mark.parametrize(
    ("counted", "why", "failures", "unjudged", "statuses"),
    [
        pytest.param(0, [], 0, 0, (0, 0), id="green"),
        pytest.param(0, [LOST], 0, 0, (1, NOT_JUDGED), id="not judged"),
        pytest.param(0, [HIDDEN], 0, 0, (1, 1), id="a fail is hidden"),
        pytest.param(0, [LOST, HIDDEN], 0, 0, (1, 1), id="both"),
        pytest.param(1, [], 2, 0, (1, 1), id="failures"),
        pytest.param(1, [], 2, 1, (1, 1), id="a failure beside an error"),
        pytest.param(1, [], 2, 2, (1, NOT_JUDGED), id="errors alone"),
        pytest.param(1, [LOST], 2, 2, (1, NOT_JUDGED), id="errors, and more not judged"),
        pytest.param(1, [HIDDEN], 2, 2, (1, 1), id="errors, and a hidden fail"),
        pytest.param(1, [], 0, 0, (1, 1), id="a plugin's"),
        *[pytest.param(n, [HIDDEN], 1, 1, (n, n), id=f"status {n}") for n in (2, 3, 4, 5, 99)],
    ],
)
def test_the_exit_status(
    counted: int, why: list[Reason], failures: int, unjudged: int, statuses: tuple[int, int]
) -> None:
    """Never better than pytest's, never 0 with a reason, and 10 only where nothing failed.

    The second status is that of a run with `--ptc-exit-codes`.
    """
    for exit_codes, status in zip((False, True), statuses, strict=True):
        assert status == session_status(
            counted, why, failures=failures, unjudged=unjudged, exit_codes=exit_codes
        )


def test_an_exit_status_is_decided_once() -> None:
    """Asked again, as it is after each group of plugins, it stays."""
    for status in (FAILED, NOT_JUDGED):
        again = session_status(status, [LOST], failures=0, unjudged=0, exit_codes=True)
        assert again == status


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, None),
        ({"exit_status": None}, "the run was killed, or is still active"),
        ({"ended": False}, "the run was killed, or is still active"),
        ({"exit_status": 1}, "pytest ended with status 1: tests failed"),
        ({"exit_status": 99}, "pytest ended with status 99: a plugin set it"),
        ({"stopped": "the budget is used"}, "the run was stopped: the budget is used"),
        ({"states": [ItemState.PASSED, ItemState.UNDONE]}, "1 item did not pass"),
        ({"states": [ItemState.FAILED] * 2}, "2 items did not pass"),
        ({"states": [], "judged": 0}, "no item was judged by an agent"),
        ({"states": [ItemState.SKIPPED], "judged": 0}, "no item was judged by an agent"),
    ],
)
def test_why_a_run_is_no_success(more: dict[str, object], why: str | None) -> None:
    """One reason, the one that says most."""
    given: dict[str, object] = {"exit_status": 0, "ended": True, "stopped": None, "judged": 1}
    given |= {"states": [ItemState.PASSED], **more}
    assert why_no_success(**given) == why  # type: ignore[arg-type]
