"""A run against its baseline: what is new, open, gone and regressed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.baseline import PastStatus, recognised
from pytest_ptc.model.excuses import claim_of
from pytest_ptc.model.sightings import Roots
from pytest_ptc.model.verdict import FindingState
from pytest_ptc.reporting.past_runs import past_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_ptc.model.baseline import Baseline, PastFinding
    from pytest_ptc.model.verdict import Finding
    from pytest_ptc.reporting.run_report import RunReport, TaskReport


class Compared(NamedTuple):
    """A run against a baseline.

    Args:
        baseline: The baseline.
        findings: What the run found, with what each is against the baseline.
        gone: What the baseline has, and the run looked for and did not find.
        not_looked_for: What the baseline has, and none of whose items the run judged.
    """

    baseline: Baseline
    findings: Sequence[tuple[TaskReport, Finding]]
    gone: Sequence[PastFinding]
    not_looked_for: Sequence[PastFinding]

    def found(self, state: FindingState) -> list[tuple[TaskReport, Finding]]:
        """Return the findings of a state, in the order of their items."""
        return [pair for pair in self.findings if pair[1].facts.state is state]

    @property
    def counts(self) -> dict[str, int]:
        """Return how many there are of each."""
        return {
            **{state.value: len(self.found(state)) for state in FindingState},
            "gone": len(self.gone),
            "not looked for": len(self.not_looked_for),
        }


def compared(run: RunReport) -> Compared | None:
    """Return a run against its baseline; None where it has none."""
    baseline = run.baseline
    if baseline is None:
        return None
    facts = run.facts
    roots = Roots(facts.rootdir, facts.repository)
    again: set[int | None] = set()
    for task in run.standing:
        claims = [claim_of(one, task.spec.cwd, roots, facts.rootdir) for one in task.findings]
        again.update(recognised(baseline.findings, claims))
    judged = past_run(run).found
    absent = [
        one
        for number, one in enumerate(baseline.findings)
        if number not in again and one.status is not PastStatus.GONE
    ]
    looked_for = [any(item in judged for item in one.items) for one in absent]
    return Compared(
        baseline=baseline,
        findings=[(task, one) for task in run.as_collected for one in task.findings],
        gone=[one for one, looked in zip(absent, looked_for, strict=True) if looked],
        not_looked_for=[one for one, looked in zip(absent, looked_for, strict=True) if not looked],
    )
