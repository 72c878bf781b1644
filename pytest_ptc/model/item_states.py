"""What became of an item, and whether the run is a success: decided here and nowhere else. Pure.

The terminal's summary, every report and the exit status show what these functions return. The
material is what pytest reported last of each phase of an item, its plugins' word on that included,
what the agent recorded, and the exit status of the session. Nothing that was reported badly is made
good by what came later: a teardown that is fine hides no failed call, and a passing body hides no
failed subtest.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.trouble import Cause
from pytest_ptc.model.verdict import VerdictKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class ItemState(str, Enum):
    """What became of an item, the worst first."""

    FAILED = "failed"
    ERROR = "error"
    #: The run was over before it was judged.
    UNDONE = "undone"
    #: A verdict of fail or a trouble that pytest made no outcome of.
    UNRESOLVED = "unresolved"
    XPASSED = "xpassed"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    #: A verdict of pass or skip that pytest made no outcome of.
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

#: What pytest's exit statuses, and ours, say of a run that is no success.
_STATUSES: Mapping[int, str] = {
    1: "tests failed",
    2: "pytest was interrupted, or could not collect the tests",
    3: "pytest or one of its plugins broke",
    4: "pytest was not used as it can be",
    5: "pytest ran no test",
    10: "items were not judged",
}

#: Exit statuses with which pytest has run all that it meant to run.
_CAME_TO_ITS_END = frozenset({0, 1, 10})

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
) -> ItemState:
    """Return what became of an item.

    Args:
        outcome: The outcome of its `final_report`; None where pytest did not run it.
        verdict: The kind of the verdict that counts; None where none does.
        cause: The cause of the trouble because of which no verdict counts.
        gate: Whether a verdict of fail fails the test.
        blocked: Whether a finding beside a pass or a skip is as bad as its threshold.
    """
    judged = verdict not in (None, VerdictKind.ERROR.value)
    if outcome is None:
        if verdict is None and cause in (None, Cause.STOPPED.value):
            return ItemState.UNDONE
        if verdict in (VerdictKind.PASS.value, VerdictKind.SKIP.value) and not blocked:
            return ItemState.UNREPORTED
        return ItemState.UNRESOLVED
    state = ItemState(outcome)
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


def is_submitted(nodeid: str) -> bool:
    """Tell whether a task was submitted by a test, which judges by it as it likes."""
    return _SUBMITTED.search(nodeid) is not None


def came_to_its_end(exit_status: int | None) -> bool:
    """Tell whether a session with this exit status has run all that it meant to run."""
    return exit_status in _CAME_TO_ITS_END


def why_no_success(
    *,
    exit_status: int | None,
    ended: bool,
    stopped: str | None,
    states: Sequence[ItemState],
    judged: int,
) -> str | None:
    """Return why a run is no success; None if it is one.

    Args:
        exit_status: Pytest's, the last that it was set to; None where it is not known.
        ended: Whether the run ended in order.
        stopped: Why it began nothing more before all was done.
        states: What became of its marked items.
        judged: How many tasks have a verdict other than error.
    """
    if not ended or exit_status is None:
        return "the run was killed, or is still on"
    if exit_status != 0:
        why = _STATUSES.get(exit_status, "a plugin set it")
        return f"pytest ended with status {exit_status}: {why}"
    if stopped is not None:
        return f"the run was stopped: {stopped}"
    bad = sum(state in BAD for state in states)
    if bad:
        return f"{bad} item{'s' * (bad != 1)} did not pass"
    return None if judged else "no item was judged by an agent"
