"""One item as all reports tell it: its verdict, its state, and why it is not passed. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.choices import asks_for_new, severity_of
from pytest_ptc.model.item_states import (
    FINE,
    ItemState,
    PhaseReport,
    final_report,
    is_submitted,
    item_state,
)
from pytest_ptc.model.result import test_outcome
from pytest_ptc.model.self_test import JudgeOutcome, outcome_text
from pytest_ptc.model.trouble import Cause
from pytest_ptc.model.verdict import Finding, Severity, VerdictKind
from pytest_ptc.reporting.attempts import Spent, TaskAttempt, VoteReport, attempts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_ptc.model.result import Result
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.trouble import Trouble
    from pytest_ptc.model.verdict import Verdict

WORST_FIRST = tuple(reversed(Severity))
_BADNESS: Mapping[Severity, int] = {severity: rank for rank, severity in enumerate(WORST_FIRST)}
_STATES = tuple(ItemState)
_FAIL = VerdictKind.FAIL


class ItemReason(NamedTuple):
    """Why an item ended as it did.

    Args:
        kind: What it comes to.
        label: The cause in a few words, such as `timeout`; empty where a verdict is the reason.
        said: What was said of it: the agent's summary, the trouble's message, or pytest's.
    """

    kind: VerdictKind
    label: str
    said: str

    @property
    def text(self) -> str:
        return f"{self.label}: {self.said}" if self.label and self.said else self.label or self.said


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskReport:
    """One task, its attempts, and what became of its item.

    Args:
        number: Its place in the run, from 1, in the order of submission.
        task_id: Its id on the shared list; None for one that was on none.
        spec: What was asked.
        attempts: Its attempts, in order; of a kept verdict, the one that it is from.
        verdict: The verdict that counts, if one does.
        trouble: Why none counts, if that is known.
        kept_from: The earlier run whose verdict it is.
        phases: What pytest reported of its item, in order.
        submitted: When it was submitted, in seconds since the epoch.
        path: The file of its item, relative to the root directory.
        line: A line of that file, from 1.
        overtaken: Whether another task stands for its item, or it has none in this run.
        votes: The votes on it, where there are several.
        run: The run that it was in, in a report that is merged from several.
        state: What became of the item.
        final: The report of pytest's that decides that; None where there is none.
    """

    spec: TaskSpec
    number: int = 1
    task_id: str | None = None
    attempts: tuple[TaskAttempt, ...] = ()
    verdict: Verdict | None = None
    trouble: Trouble | None = None
    kept_from: str | None = None
    phases: tuple[PhaseReport, ...] = ()
    submitted: float | None = None
    path: str | None = None
    line: int | None = None
    overtaken: bool = False
    votes: tuple[VoteReport, ...] = ()
    run: str | None = None
    final: PhaseReport | None = field(init=False)
    state: ItemState = field(init=False)

    def __post_init__(self) -> None:
        final = final_report(self.phases)
        state = item_state(
            final.outcome if final else None,
            verdict=self.kind.value if self.verdict else None,
            cause=self.trouble.cause.value if self.trouble else None,
            gate=self.spec.gate,
            blocked=bool(self.blocking),
            test=self.test_outcome,
            tolerated=self.spec.self_test is not None and self.spec.self_test.tolerated,
        )
        object.__setattr__(self, "final", final)
        object.__setattr__(self, "state", state)

    @classmethod
    def of(
        cls, result: Result, phases: Iterable[PhaseReport] = (), *, overtaken: bool = False
    ) -> TaskReport:
        """Return the report of a task whose result is known.

        Args:
            result: How it ended.
            phases: What pytest reported of its item.
            overtaken: Whether another task stands for its item, or it has none in this run.
        """
        return cls(
            spec=result.spec,
            task_id=result.task_id,
            attempts=tuple(attempts_of(result)),
            votes=tuple(map(VoteReport.of, result.votes)),
            verdict=result.verdict,
            trouble=result.trouble,
            kept_from=result.resumed,
            phases=tuple(phases),
            overtaken=overtaken,
        )

    @property
    def nodeid(self) -> str:
        """Return the item's node id, as pytest has it."""
        return self.spec.nodeid

    # What it comes to.

    @property
    def kind(self) -> VerdictKind:
        """Return what its verdict counts as; a task without one is an error."""
        return self.verdict.counts_as if self.verdict else VerdictKind.ERROR

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return what its verdict holds, in the order recorded."""
        return self.verdict.findings if self.verdict else ()

    @property
    def blocking(self) -> list[Finding]:
        """Return the findings for which the item fails though its verdict is a pass or a skip."""
        if self.verdict is None or not self.spec.gate:
            return []
        # By the task: in a journal, a verdict is without what its task takes for a failure.
        return replace(self.verdict, fail_on=self.spec.fail_on).blocking

    @property
    def tests_judge(self) -> bool:
        return self.spec.self_test is not None

    @property
    def test_outcome(self) -> JudgeOutcome | None:
        """Return what it came to as a test of the judge; None if it is none."""
        return test_outcome(self.spec, self.verdict)

    def is_failed_by(self, finding: Finding) -> bool:
        """Tell whether a finding of its verdict is why the item did not pass."""
        if self.spec.self_test is not None:
            # What fails it is the judge: its findings are about a planted defect, or none.
            return False
        if self.state in FINE or finding.facts.excuse is not None:
            return False
        return self.kind is VerdictKind.FAIL or finding in self.blocking

    @property
    def reason(self) -> ItemReason:
        """Return why the item ended as it did: one answer, for every report."""
        agents, tests = self._agents_reason, self.tests_reason
        if agents is None:
            return tests or ItemReason(VerdictKind.ERROR, "not judged", "")
        if agents.kind is VerdictKind.ERROR or (agents.kind is _FAIL and self.spec.gate):
            return agents
        # A verdict of skip says as much as pytest does of it.
        same = tests is None or tests.kind is agents.kind is VerdictKind.SKIP
        return agents if same or tests is None else tests

    @property
    def tests_reason(self) -> ItemReason | None:
        """Return what pytest says of why its item did not pass; None where it says nothing."""
        final = self.final
        said = (final.message if final else None) or ""
        match self.state:
            case ItemState.FAILED:
                return ItemReason(_FAIL, "the test failed", said)
            case ItemState.ERROR:
                label = f"error in {final.phase}" if final and final.phase else "error"
                return ItemReason(VerdictKind.ERROR, label, said)
            case ItemState.SKIPPED:
                return ItemReason(VerdictKind.SKIP, "skipped by the test", said)
            case ItemState.UNDONE:
                return ItemReason(VerdictKind.ERROR, "not judged", "the run was over first")
        return None

    @property
    def _agents_reason(self) -> ItemReason | None:
        """Return what its agent's work comes to; None where that is nothing."""
        verdict, trouble = self.verdict, self.trouble
        if trouble is not None:
            return ItemReason(VerdictKind.ERROR, trouble.cause.value, trouble.message)
        if verdict is None:
            return None
        test, outcome = self.spec.self_test, self.test_outcome
        if test is not None and outcome is not None:
            kind = VerdictKind.PASS if outcome.good else _FAIL
            kind = VerdictKind.ERROR if outcome is JudgeOutcome.UNJUDGED else kind
            label = outcome_text(test, verdict, outcome, cwd=self.spec.cwd)
            return ItemReason(kind, label, f"verdict {verdict.verdict}: {verdict.summary}")
        if many := len(self.blocking):
            fail_on = self.spec.fail_on
            new = "new " if asks_for_new(fail_on) else ""
            findings = f"1 {new}finding" if many == 1 else f"{many} {new}findings"
            beside = f"{findings} of {severity_of(fail_on)} or worse beside a {verdict.verdict}"
            return ItemReason(_FAIL, "", f"{beside}: {verdict.summary}")
        if verdict.set_aside:
            excuses = Counter(finding.facts.excuse for finding in verdict.findings)
            why = ", ".join(f"{number} {excuse}" for excuse, number in excuses.items())
            return ItemReason(VerdictKind.PASS, f"fail set aside ({why})", verdict.summary)
        label = "verdict error" if verdict.verdict is VerdictKind.ERROR else ""
        return ItemReason(verdict.verdict, label, verdict.summary)

    @property
    def also(self) -> list[PhaseReport]:
        """Return what else went wrong with its item, beside what decides its state."""
        bad = ("failed", "error")
        return [one for one in self.phases if one is not self.final and one.outcome in bad]

    @property
    def is_submitted(self) -> bool:
        """Tell whether a test submitted it, which judges by it as it likes."""
        return is_submitted(self.nodeid)

    @property
    def has_no_item(self) -> bool:
        """Tell whether no item is to have its outcome: its verdict is all there is."""
        return self.is_submitted or self.superseded

    @property
    def superseded(self) -> bool:
        """Tell whether another task stands for its item, and pytest counted nothing by this one."""
        return self.overtaken and self.final is None

    @property
    def undone(self) -> bool:
        """Tell whether the run was over before anybody judged it."""
        return self.state is ItemState.UNDONE

    @property
    def unfinished(self) -> bool:
        """Tell whether the run was over before its item was: no news about the item."""
        if self.undone or (self.trouble is not None and self.trouble.cause is Cause.STOPPED):
            return True
        return self.state is ItemState.UNREPORTED and not self.has_no_item

    @property
    def so_far(self) -> str:
        """Return how it stands in a run that is active: `running` or `queued`, else its state."""
        if not self.unfinished or self.trouble is not None:
            return self.state.value
        began = self.verdict is not None or any(one.ended is None for one in self.attempts)
        return "running" if began else "queued"

    @property
    def bad(self) -> bool:
        """Tell whether somebody must look at it."""
        return self.reason.kind in (_FAIL, VerdictKind.ERROR) and not self.unfinished

    @property
    def expected(self) -> bool:
        """Tell whether it failed as `xfail` expects."""
        return self.state is ItemState.XFAILED

    @property
    def without_evidence(self) -> bool:
        """Tell whether it passed by an agent that made no tool call: it may be a guess."""
        if self.kind is not VerdictKind.PASS or not self.attempts:
            return False
        decisive = self.attempts if self.votes else self.attempts[-1:]
        return any(attempt.without_evidence for attempt in decisive)

    # Figures.

    @property
    def severities(self) -> dict[Severity, int]:
        """Return how many findings there are of each severity, worst first."""
        numbers = Counter(finding.severity for finding in self.findings)
        return {severity: numbers[severity] for severity in WORST_FIRST if numbers[severity]}

    @property
    def seconds(self) -> float:
        """Return the time that all its attempts took together."""
        return sum(attempt.seconds or 0.0 for attempt in self.attempts)

    @property
    def spent(self) -> Spent | None:
        """Return what all its attempts cost; None where nobody accounts for that."""
        return Spent.of(self.attempts)

    @property
    def cost_usd(self) -> float | None:
        """Return what its attempts cost, as far as that is known; None where nothing is."""
        known = [a.usage.cost_usd for a in self.attempts if a.usage is not None]
        costs = [cost for cost in known if cost is not None]
        return sum(costs) if costs else None

    def only_said_by(self, attempt: TaskAttempt) -> list[Finding]:
        """Return the findings of a vote that are nowhere else: its panel came to no verdict."""
        if self.verdict is not None or not self.votes or attempt.verdict is None:
            return []
        return [] if attempt.is_check else worst_first(attempt.verdict.findings)

    @property
    def retried(self) -> bool:
        """Tell whether a task took more than one attempt; a kept verdict brings its last alone."""
        return any(attempt.number > 1 for attempt in self.attempts)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings, those that nothing excuses before the others."""
    return sorted(findings, key=_finding_badness)


def places_worst_first(findings: Sequence[Finding]) -> dict[int, int]:
    """Return at which place `worst_first` has each of the findings, by its own."""
    ordered = sorted(range(len(findings)), key=lambda at: _finding_badness(findings[at]))
    return {at: place for place, at in enumerate(ordered)}


def _finding_badness(finding: Finding) -> tuple[bool, int]:
    return finding.facts.excuse is not None, _BADNESS[finding.severity]


def worst_tasks_first(tasks: Iterable[TaskReport]) -> list[TaskReport]:
    """Return tasks, the worst first, else in their order."""
    return sorted(tasks, key=_badness)


def _badness(task: TaskReport) -> tuple[int, ...]:
    found = task.severities
    # Of passes that are alike otherwise, one that may be a guess is looked at first.
    return (
        _STATES.index(task.state),
        *(-found.get(severity, 0) for severity in WORST_FIRST),
        not task.without_evidence,
    )
