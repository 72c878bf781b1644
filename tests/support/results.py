"""Results of tasks, as gate and outcomes see them."""

from __future__ import annotations

from typing import Any

from pytest_ptc.model.result import Attempt, AttemptReport, Result
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Finding, Severity, Verdict, VerdictKind

CRITICAL = (Finding(severity=Severity.CRITICAL, message="eval"),)


def result(kind: str | None, *, findings: tuple[Finding, ...] = (), **spec: Any) -> Result:
    """Return how a task ended: with a verdict of this kind, or with trouble where it is None."""
    task = TaskSpec(nodeid="t", prompt="p", timeout=1, cwd="/", **spec)
    if kind is None:
        trouble = Trouble(cause=Cause.TIMEOUT, message="too long")
        return Result(task_id="1", spec=task, trouble_outside=trouble)
    verdict = Verdict(verdict=VerdictKind(kind), summary="s", findings=findings)
    attempt = Attempt(task_id="1", number=1, worker="w1")
    report = AttemptReport(attempt=attempt, seconds=1.0, verdict=verdict)
    return Result(task_id="1", spec=task, reports=(report,))
