"""Which findings of a verdict block its item, and which are excused. Pure.

An excuse is a mark: an excused finding stays in the verdict and in every report. A fail all of
whose findings are excused is set aside (`Verdict.set_aside`); one without findings never is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from pytest_ptc.model.verdict import Excuse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_ptc.model.result import AttemptReport
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.verdict import Finding, Verdict


class Excused(NamedTuple):
    """An excuse, and what there is to say of it."""

    excuse: Excuse
    why: str = ""


#: Returns what excuses each finding of a verdict, as a list of known findings does; None for
#: nothing. All of them at once: of two that are alike, one alone may be known.
ExcuseOf: TypeAlias = "Callable[[Sequence[Finding], TaskSpec], Sequence[Excused | None]]"


def no_excuse(findings: Sequence[Finding], _: TaskSpec) -> Sequence[Excused | None]:
    """Excuse nothing."""
    return [None] * len(findings)


def weighed(verdict: Verdict, spec: TaskSpec, excuse_of: ExcuseOf = no_excuse) -> Verdict:
    """Return a verdict with its findings marked by what excuses them.

    An excuse that it brings does not count: agents give none, and a kept verdict is weighed by the
    lists of its new run. Those of votes and verifiers come later.

    Args:
        verdict: What was recorded.
        spec: Its task.
        excuse_of: What else excuses findings.
    """
    if not verdict.findings:
        return verdict
    if spec.self_test is not None:
        # What is known, or older than the change, says nothing of the judge that is tested.
        return replace(verdict, findings=tuple(map(_without_excuse, verdict.findings)))
    findings = list(map(_marked, map(_without_excuse, verdict.findings)))
    for at, excused in enumerate(excuse_of(findings, spec)):
        if excused is not None and findings[at].facts.excuse is None:
            findings[at] = findings[at].with_facts(excuse=excused.excuse, why=excused.why)
    ended = replace(verdict, findings=tuple(findings), fail_on=spec.fail_on)
    if spec.unplaced == "advisory":
        blocking = ended.blocking
        findings = [_advisory(one) if one in blocking else one for one in findings]
    return replace(verdict, findings=tuple(findings))


def weighed_report(
    report: AttemptReport, spec: TaskSpec, excuse_of: ExcuseOf = no_excuse
) -> AttemptReport:
    """Return an attempt's report with its verdict weighed."""
    if report.verdict is None:
        return report
    return replace(report, verdict=weighed(report.verdict, spec, excuse_of))


def _without_excuse(finding: Finding) -> Finding:
    return finding.with_facts(excuse=None, why="") if finding.facts.excuse else finding


def _advisory(finding: Finding) -> Finding:
    """Return a finding that would fail its test beside a pass or a skip: not without a place."""
    return finding if finding.has_place else finding.with_facts(excuse=Excuse.UNPLACED)


def _marked(finding: Finding) -> Finding:
    """Return a finding with the excuse that follows from what is known of it."""
    # Where nobody could look, a finding is taken for one of the change.
    if finding.facts.touched is False:
        return finding.with_facts(excuse=Excuse.PRE_EXISTING)
    return finding
