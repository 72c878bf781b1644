"""What a report comes to when its task was stopped meanwhile."""

from __future__ import annotations

import pytest

from pytest_ptc.coordinator.running import stopped_report
from pytest_ptc.model.result import Attempt, AttemptReport
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict, VerdictKind

ATTEMPT = Attempt(task_id="1", number=1, worker="w1")
STOPPED = Trouble(cause=Cause.TASK_STOPPED, message="ptc stop")


def _report(kind: VerdictKind) -> AttemptReport:
    return AttemptReport(
        attempt=ATTEMPT, seconds=1.0, verdict=Verdict(verdict=kind, summary="done")
    )


@pytest.mark.parametrize("kind", [VerdictKind.PASS, VerdictKind.SKIP, VerdictKind.ERROR])
def test_a_verdict_that_came_too_late_is_no_verdict(kind: VerdictKind) -> None:
    """A pass was on its way when somebody stopped the task: nobody wants it any more."""
    report = stopped_report(_report(kind), STOPPED)
    assert report is not None
    assert report.verdict is None
    assert report.trouble == STOPPED


def test_a_fail_counts_still() -> None:
    """No fail is taken back by stopping."""
    report = _report(VerdictKind.FAIL)
    assert stopped_report(report, STOPPED) is report


def test_the_last_lines_of_a_worker_stay() -> None:
    """They say what the agent was at."""
    trouble = Trouble(cause=Cause.TIMEOUT, message="late", evidence="reading")
    report = AttemptReport(attempt=ATTEMPT, seconds=1.0, trouble=trouble)
    stopped = stopped_report(report, STOPPED)
    assert stopped is not None
    assert stopped.trouble == Trouble(
        cause=Cause.TASK_STOPPED, message="ptc stop", evidence="reading"
    )


def test_no_report_is_none() -> None:
    """A lost worker's attempt is ended by its records."""
    assert stopped_report(None, STOPPED) is None
