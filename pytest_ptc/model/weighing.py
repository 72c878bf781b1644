"""Which findings of a verdict block its item, and which are excused. Pure.

An excuse is a mark: an excused finding stays in the verdict and in every report. A fail all of
whose findings are excused is set aside (`Verdict.set_aside`); one without findings never is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from pytest_ptc.model.verdict import Excuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_ptc.model.result import AttemptReport
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.verdict import Finding, Verdict


class Excused(NamedTuple):
    """An excuse, and what there is to say of it."""

    excuse: Excuse
    why: str = ""


#: Returns what excuses a finding of a task, as a list of known findings does; None for nothing.
ExcuseOf: TypeAlias = "Callable[[Finding, TaskSpec], Excused | None]"


def no_excuse(_: Finding, __: TaskSpec) -> Excused | None:
    """Excuse nothing."""
    return None


def weighed(verdict: Verdict, spec: TaskSpec, excuse_of: ExcuseOf = no_excuse) -> Verdict:
    """Return a verdict with its findings marked by what excuses them.

    What a vote or a verifier has excused already stays as it is.

    Args:
        verdict: What was recorded.
        spec: Its task.
        excuse_of: What else excuses a finding.
    """
    if not verdict.findings:
        return verdict
    findings = tuple(_marked(finding, spec, excuse_of) for finding in verdict.findings)
    return replace(verdict, findings=findings)


def weighed_report(
    report: AttemptReport, spec: TaskSpec, excuse_of: ExcuseOf = no_excuse
) -> AttemptReport:
    """Return an attempt's report with its verdict weighed."""
    if report.verdict is None:
        return report
    return replace(report, verdict=weighed(report.verdict, spec, excuse_of))


def _marked(finding: Finding, spec: TaskSpec, excuse_of: ExcuseOf) -> Finding:
    if finding.facts.excuse is not None:
        return finding
    excused = _excused(finding, spec, excuse_of)
    if excused is None:
        return finding
    return finding.with_facts(excuse=excused.excuse, why=excused.why)


def _excused(finding: Finding, spec: TaskSpec, excuse_of: ExcuseOf) -> Excused | None:
    # Where nobody could look, a finding is taken for one of the change.
    if finding.facts.touched is False:
        return Excused(Excuse.PRE_EXISTING)
    return excuse_of(finding, spec)
