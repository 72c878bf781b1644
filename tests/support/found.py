"""Reports of runs that found something, for tests of what is made of findings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_ptc.model.baseline import baseline_of
from pytest_ptc.model.item_states import PhaseReport
from pytest_ptc.model.known import KnownEntry, KnownFindings
from pytest_ptc.model.result import Attempt, AttemptReport, Result
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import (
    Excuse,
    Finding,
    FindingState,
    Severity,
    Verdict,
    VerdictKind,
)
from pytest_ptc.reporting.past_runs import past_run
from pytest_ptc.reporting.run_report import RunFacts, RunReport, Session
from pytest_ptc.reporting.task_report import TaskReport

#: The top of the repository that the runs take place in, and pytest's root directory there.
TOP, ROOT = "/repo", "/repo/tests"


def found(
    rule: str | None = "sql-injection",
    line: int | None = 3,
    anchor: str | None = None,
    *,
    path: str | None = "../src/a.py",
    severity: str = "high",
    message: str = "a query of words",
    **facts: Any,
) -> Finding:
    """Return a finding, its path from the root directory."""
    finding = Finding(severity=Severity(severity), message=message, path=path, line=line, rule=rule)
    return finding.with_facts(anchor=anchor, **facts)


def judged(name: str, *findings: Finding, kind: str = "fail", **spec: Any) -> TaskReport:
    """Return the task of an item that an agent judged."""
    task = TaskSpec(nodeid=f"t.py::t[{name}]", prompt="p", timeout=1.0, cwd=ROOT, **spec)
    verdict = Verdict(verdict=VerdictKind(kind), summary="s", findings=findings)
    attempt = Attempt(task_id="1", number=1, worker="w1")
    result = Result(
        task_id="1",
        spec=task,
        reports=(AttemptReport(attempt=attempt, seconds=1.0, verdict=verdict),),
    )
    outcome = "passed" if result.verdict and result.verdict.passed else "failed"
    report = TaskReport.of(result, [PhaseReport("call", outcome, None, None)])
    return replace(report, submitted=1.0)


def unjudged(name: str) -> TaskReport:
    """Return the task of an item without a verdict."""
    task = TaskSpec(nodeid=f"t.py::t[{name}]", prompt="p", timeout=1.0, cwd=ROOT)
    trouble = Trouble(cause=Cause.TIMEOUT, message="too long")
    result = Result(task_id="1", spec=task, trouble_outside=trouble)
    return TaskReport.of(result, [PhaseReport("setup", "error", "ptc error: timeout", None)])


def run_with(*tasks: TaskReport, run_id: str = "r1", began: float = 1.0, **more: Any) -> RunReport:
    """Return a run that has ended."""
    facts = RunFacts(
        host="process",
        agent="command",
        workers=1,
        task_list_id="l",
        rootdir=ROOT,
        repository=TOP,
        commit=None,
        anchor="README.md",
        arguments=(),
        python="3",
        resumes=None,
        fail_on="verdict",
        pytest_ptc="0",
    )
    return RunReport(
        run_id=run_id,
        began=began,
        seconds=1.0,
        ended=True,
        session=Session(1),
        stopped=None,
        facts=facts,
        tasks=tasks,
        **more,
    )


def run_with_excuses() -> tuple[RunReport, RunReport]:
    """Return a run with a finding of each kind in one verdict, and its baseline."""
    first = run_with(judged("a", found("back", 50)), run_id="r", began=0.5)
    before = run_with(judged("a", found("old", 20), found("gone", 90)), run_id="r0")
    known = KnownFindings(
        file="known.yaml",
        today="2027-01-31",
        entries=(
            KnownEntry(
                number=1, line=1, reason="ours", rule="sql", path="src/a.py", until="2099-01-01"
            ),
            KnownEntry(number=2, line=5, reason="r", rule="x", path="*", until="2020-01-01"),
        ),
    )
    run = run_with(
        judged(
            "a",
            found("sql", 10, excuse=Excuse.KNOWN, why="ours | <b>", state=FindingState.NEW),
            found("old", 20, excuse=Excuse.BASELINE, state=FindingState.OPEN),
            found("style", 30, excuse=Excuse.PRE_EXISTING, state=FindingState.NEW),
            found("no", 40, excuse=Excuse.REFUTED, why="line 40: checked"),
            found("back", 50, state=FindingState.REGRESSED),
            found("new", 60, severity="low", state=FindingState.NEW),
        ),
        known=known,
        baseline=baseline_of(past_run(before), [past_run(first)], "run r0"),
    )
    return run, before
