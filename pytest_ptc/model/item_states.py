"""The state of an item: decided here and nowhere else. Pure.

The terminal's summary, every report and the exit status use these functions. Their input is
pytest's last report of each phase of an item, with the category that plugins gave it, and the
agent's verdict. A later report never improves the state: a good teardown does not hide a failed
call, and a passing body does not hide a failed subtest.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.self_test import JudgeOutcome
from pytest_ptc.model.trouble import Cause
from pytest_ptc.model.verdict import VerdictKind

if TYPE_CHECKING:
    from collections.abc import Iterable


class ItemState(str, Enum):
    """The state of an item, the worst first."""

    FAILED = "failed"
    ERROR = "error"
    #: The run was over before it was judged.
    UNDONE = "undone"
    #: A verdict of fail or a trouble, without an outcome in pytest.
    UNRESOLVED = "unresolved"
    XPASSED = "xpassed"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    #: A verdict of pass or skip, without an outcome in pytest.
    UNREPORTED = "unreported"
    PASSED = "passed"


#: States of a marked item with which its run is no success.
BAD = frozenset(
    {
        ItemState.FAILED,
        ItemState.ERROR,
        ItemState.UNDONE,
        ItemState.UNRESOLVED,
        ItemState.UNREPORTED,
    }
)

#: States that say that the item's test ran, or need not run.
FINE = frozenset({ItemState.XPASSED, ItemState.SKIPPED, ItemState.XFAILED, ItemState.PASSED})

_SUBMITTED = re.compile(r"::submit\[\d+\]$")


class PhaseReport(NamedTuple):
    """One report of pytest's on an item.

    Args:
        phase: `setup`, `call` or `teardown`.
        outcome: What pytest made of it: passed, failed, error, skipped, xfailed or xpassed; None if
            it says nothing of the item as a whole, as a set-up that went well.
        message: The first line of why it is not passed.
        xfail: Why it was expected to fail, which may be empty; None where it was not.
    """

    phase: str
    outcome: str | None
    message: str | None = None
    xfail: str | None = None


def phase_outcome(
    phase: str, outcome: str, *, expected: bool, category: str | None = None, part: bool = False
) -> str | None:
    """Return what one report says of its item; None where it says nothing of the whole.

    Args:
        phase: `setup`, `call` or `teardown`.
        outcome: The report's `outcome`; plugins have their own, such as `rerun`.
        expected: Whether it has `wasxfail`.
        category: What `pytest_report_teststatus` calls it. A plugin may call a report worse than
            its outcome is; what pytest has counted as failed stays failed whatever it is called.
        part: Whether it is of a part of the test, a subtest: only a bad one counts for the whole.
    """
    if outcome == "failed":
        return "failed" if phase == "call" else "error"
    if category in ("failed", "error"):
        return category
    if part or phase == "teardown":
        return None
    if outcome == "skipped":
        return "xfailed" if expected else "skipped"
    if outcome == "passed" and phase == "call":
        return "xpassed" if expected else "passed"
    return None


def final_report(reports: Iterable[PhaseReport]) -> PhaseReport | None:
    """Return the report that decides what became of an item: the first of the worst, else the last.

    Returns None where none says anything of the item as a whole.
    """
    telling = [report for report in reports if report.outcome is not None]
    for bad in ("failed", "error"):
        for report in telling:
            if report.outcome == bad:
                return report
    return telling[-1] if telling else None


def item_state(
    outcome: str | None,
    *,
    verdict: str | None,
    cause: str | None = None,
    gate: bool = True,
    blocked: bool = False,
    test: JudgeOutcome | None = None,
    tolerated: bool = False,
) -> ItemState:
    """Return what became of an item.

    Args:
        outcome: The outcome of its `final_report`; None where pytest did not run it.
        verdict: The kind of the verdict that counts; None where none does.
        cause: The cause of the trouble because of which no verdict counts.
        gate: Whether a verdict of fail fails the test.
        blocked: Whether a finding beside a pass or a skip is as bad as its threshold.
        test: What it came to as a test of the judge; None for any other item.
        tolerated: Whether such a test may miss, because the run has a minimum rate.
    """
    judged = verdict not in (None, VerdictKind.ERROR.value)
    if outcome is None:
        if verdict is None and cause in (None, Cause.STOPPED.value):
            return ItemState.UNDONE
        if test is not None:
            return ItemState.UNREPORTED if test.good else ItemState.UNRESOLVED
        if verdict in (VerdictKind.PASS.value, VerdictKind.SKIP.value) and not blocked:
            return ItemState.UNREPORTED
        return ItemState.UNRESOLVED
    state = ItemState(outcome)
    if test is not None and state in FINE:
        untried = state is ItemState.SKIPPED and verdict is None and cause is None
        return state if untried else _state_of_test(state, test, tolerated=tolerated)
    # Pytest's word is not enough for green: there must be a verdict that lets the item pass. And
    # whatever skips an item, a fixture or a plugin, does not take back what was recorded.
    untried = state is ItemState.SKIPPED and verdict is None and cause is None
    if state in FINE and not judged and not untried:
        return ItemState.ERROR
    if state is ItemState.XFAILED and verdict == VerdictKind.SKIP.value:
        return ItemState.ERROR
    refused = gate and (verdict == VerdictKind.FAIL.value or blocked)
    ran = state in (ItemState.PASSED, ItemState.XPASSED)
    if refused and (ran or state is ItemState.SKIPPED):
        return ItemState.FAILED
    # The body of a test whose agent skips it does not run; that one did and passed is no pass.
    if ran and gate and verdict == VerdictKind.SKIP.value:
        return ItemState.FAILED
    return state


def _state_of_test(state: ItemState, test: JudgeOutcome, *, tolerated: bool) -> ItemState:
    """Return what became of a test of the judge that pytest reports as fine."""
    if test is JudgeOutcome.UNJUDGED:
        return ItemState.ERROR
    if test.good or (tolerated and state is ItemState.XFAILED):
        return state
    return ItemState.FAILED


def is_submitted(nodeid: str) -> bool:
    """Tell whether a task was submitted by a test, which judges by it as it likes."""
    return _SUBMITTED.search(nodeid) is not None
