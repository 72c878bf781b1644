"""A run as GitLab's Code Quality report. Pure: a run's report in, JSON out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_ptc.model.errors import ReportError
from pytest_ptc.model.verdict import Severity
from pytest_ptc.reporting.issues import issues_of

if TYPE_CHECKING:
    from pytest_ptc.model.reports import ReportTarget
    from pytest_ptc.reporting.issues import Issue
    from pytest_ptc.reporting.run_report import RunReport

_SEVERITIES = {
    Severity.CRITICAL: "blocker",
    Severity.HIGH: "critical",
    Severity.MEDIUM: "major",
    Severity.LOW: "minor",
    Severity.INFO: "info",
}


def make(run: RunReport, _target: ReportTarget) -> str:
    return gitlab_text(run)


def gitlab_text(run: RunReport) -> str:
    """Return a run as a Code Quality report.

    Raises:
        ReportError: An entry has no place in a file of the repository.
    """
    return json.dumps(gitlab(run), allow_nan=False)


def gitlab(run: RunReport) -> list[dict[str, Any]]:
    """Return a run as entries of a Code Quality report, worst first.

    The form has no word for what was expected: that is left out.
    """
    return [_entry(issue) for issue in issues_of(run) if not issue.expected]


def _entry(issue: Issue) -> dict[str, Any]:
    if issue.path is None:
        raise ReportError(
            f"GitLab: {issue.nodeid}: neither its finding nor its test is in a file of the "
            "repository, and the repository has no file that could stand for them"
        )
    return {
        "description": f"{issue.marked_message} ({issue.found_by})",
        "check_name": issue.rule,
        "fingerprint": issue.fingerprint,
        "severity": _SEVERITIES[issue.severity],
        "location": {
            "path": issue.path,
            "lines": {"begin": issue.line or 1},
        },
    }
