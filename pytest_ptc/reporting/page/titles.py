"""The words of a page for states and flags of a task. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.model.item_states import ItemState
from pytest_ptc.model.verdict import FindingState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_ptc.model.verdict import Finding
    from pytest_ptc.reporting.task_report import TaskReport

#: The states of a task, worst first, each with a title for several of them. No test's outcome is
#: what is left of a task that a test handed out itself, of one whose test was run again, and of one
#: that was answered when its run was killed.
STATES: Mapping[ItemState, str] = {
    ItemState.FAILED: "Failed",
    ItemState.ERROR: "Error",
    ItemState.UNDONE: "Not done",
    ItemState.UNRESOLVED: "Failed without an outcome",
    ItemState.XPASSED: "Passed unexpectedly",
    ItemState.SKIPPED: "Skipped",
    ItemState.XFAILED: "Failed as expected",
    ItemState.UNREPORTED: "Passed without an outcome",
    ItemState.PASSED: "Passed",
}


_NEW = (FindingState.NEW, FindingState.REGRESSED)


def anchor(task: TaskReport) -> str:
    """Return a task's name in the page."""
    return f"t{task.number}"


def is_new(finding: Finding) -> bool:
    """Tell whether the baseline does not excuse a finding, and nothing else does."""
    return finding.facts.excuse is None and finding.facts.state in _NEW


def flags(task: TaskReport) -> list[str]:
    """Return what is remarkable of a task, by the names that the page filters by."""
    conditions = {
        "blocking": any(task.is_failed_by(finding) for finding in task.findings),
        "new": any(map(is_new, task.findings)),
        "excused": any(one.facts.excuse is not None for one in task.findings),
        "blind": task.without_evidence,
        "resumed": task.kept_from is not None,
        "retried": task.retried,
        "submitted": task.is_submitted,
        "superseded": task.superseded,
    }
    return [name for name, holds in conditions.items() if holds]
