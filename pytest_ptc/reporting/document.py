"""A run as one JSON document: the form that other programs may rely on. Pure.

Its form is in `run-report.schema.json`, beside this module; the names and what they mean are kept,
whatever our own records are called.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pytest_ptc.model.result import told_facts
from pytest_ptc.model.rule_names import FINDING
from pytest_ptc.model.verdict import FindingFacts, Severity, VerdictKind
from pytest_ptc.reporting.compared import compared, difference_json
from pytest_ptc.reporting.issues import issues_of

if TYPE_CHECKING:
    from pytest_ptc.model.item_states import PhaseReport
    from pytest_ptc.model.known import KnownEntry
    from pytest_ptc.model.reports import ReportTarget
    from pytest_ptc.model.self_test import JudgeReport, Rate
    from pytest_ptc.model.verdict import Finding, Verdict
    from pytest_ptc.reporting.attempts import Spent, TaskAttempt
    from pytest_ptc.reporting.nodes import NodeReport
    from pytest_ptc.reporting.run_report import RunReport, WorkerReport
    from pytest_ptc.reporting.task_report import TaskReport

#: The version of the form: the first number changes when a reader of the old one would err.
VERSION = "1.6"


def make(run: RunReport, _target: ReportTarget) -> str:
    return document_text(run)


def document_text(run: RunReport) -> str:
    """Return a run's document as JSON, in lines."""
    return "".join(_document_parts(run))


def _document_parts(run: RunReport) -> Iterator[str]:
    """Yield a run's document as JSON; what there may be ten thousand of, each when it is its turn.

    The whole document as objects would take six times the room of its text.
    """
    before = "{"
    for name, value in _members(run):
        yield f"{before}\n {json_text(name)}: "
        before = ","
        if not isinstance(value, Iterator):
            yield _indented(value, 1)
            continue
        between = "["
        for one in value:
            yield f"{between}\n  {_indented(one, 2)}"
            between = ","
        yield "[]" if between == "[" else "\n ]"
    yield "\n}\n"


def _indented(value: object, depth: int) -> str:
    # No text in JSON has a line break.
    return json_text(value, indent=1).replace("\n", "\n" + " " * depth)


def json_text(value: object, **how: Any) -> str:
    """Return a value as JSON; JSON has no number that is not finite, so such a one is a text."""
    try:
        return json.dumps(value, allow_nan=False, **how)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False, **how)


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(held) for key, held in value.items()}
    return [_finite(held) for held in value] if isinstance(value, list | tuple) else value


def document(run: RunReport) -> dict[str, Any]:
    return {
        name: [*value] if isinstance(value, Iterator) else value for name, value in _members(run)
    }


def _members(run: RunReport) -> Iterator[tuple[str, Any]]:
    """Yield the document's members, in order; lists as iterators."""
    yield "format", "pytest-ptc run report"
    yield "version", VERSION
    yield "run", _run(run)
    yield "totals", _totals(run)
    yield "judge", judge_json(run.judge)
    yield "tasks", map(_task, run.tasks)
    yield "findings", _merged(run)
    yield "workers", map(_fields, run.workers)
    yield "nodes", map(_fields, run.nodes)
    yield "holds", (hold._asdict() for hold in run.holds)


def _run(run: RunReport) -> dict[str, Any]:
    return {
        "id": run.run_id,
        "began": run.began,
        "seconds": run.seconds,
        "complete": run.complete,
        "exit_status": run.exit_status,
        "successful": run.successful,
        "why_not_successful": run.why_not_successful,
        "stopped": run.stopped,
        **run.facts._asdict(),
        "arguments": list(run.facts.arguments),
        "changed_suite": list(run.changed_suite),
        "known": _known(run),
        "baseline": _baseline(run),
        "shards": [shard._asdict() for shard in run.shards],
    }


def _known(run: RunReport) -> dict[str, Any] | None:
    known = run.known
    if known is None:
        return None
    void = {one.entry.number: one.why for one in run.void_known}
    entries = [{**_fields(entry), "void": void.get(entry.number)} for entry in known.entries]
    return {"file": known.file, "today": known.today, "entries": entries}


def _baseline(run: RunReport) -> dict[str, Any] | None:
    found = compared(run)
    if found is None:
        return None
    told = difference_json(found)
    gone = {name: told[name] for name in ("counts", "gone", "not_looked_for")}
    return {**told["baseline"], **gone}


def _fields(value: KnownEntry | NodeReport | WorkerReport) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def _totals(run: RunReport) -> dict[str, Any]:
    verdicts = Counter(task.kind for task in run.tasks)
    findings = run.findings
    return {
        "tasks": len(run.tasks),
        "outcomes": dict(run.outcomes),
        "states": {state.value: number for state, number in run.states.items()},
        "verdicts": {kind.value: verdicts[kind] for kind in VerdictKind},
        "findings": {severity.value: findings[severity] for severity in Severity},
        "attempts": len(run.attempts),
        "resumed": sum(task.kept_from is not None for task in run.tasks),
        "without_a_tool_call": sum(task.without_evidence for task in run.tasks),
        "usage": _spent(run.spent),
    }


def _spent(spent: Spent | None) -> dict[str, Any] | None:
    if spent is None:
        return None
    return {**spent.usage.to_json(), "attempts_of_unknown_cost": spent.unknown}


def _task(task: TaskReport) -> dict[str, Any]:
    spec, final = task.spec, task.final
    return {
        "id": task.task_id,
        "run": task.run,
        "nodeid": spec.nodeid,
        "path": task.path,
        "line": task.line,
        "state": task.state.value,
        "superseded": task.superseded,
        **_outcome(final),
        "xfail": final.xfail if final else None,
        "also": [_outcome(other) for other in task.also],
        "prompt": spec.prompt,
        "params": dict(spec.params),
        "cwd": spec.cwd,
        "isolation": spec.isolation,
        "ref": spec.ref,
        "base": spec.base,
        "gate_on": spec.gate_on,
        "gate": spec.gate,
        "fail_on": spec.fail_on,
        "self_test": self_test_json(task),
        "submitted": task.submitted,
        "resumed": task.kept_from,
        "verdict": _verdict(task.verdict),
        "trouble": task.trouble.to_json() if task.trouble else None,
        "votes": [vote._asdict() for vote in task.votes],
        "attempts": [_attempt(attempt) for attempt in task.attempts],
    }


def judge_json(judge: JudgeReport) -> dict[str, Any] | None:
    """Return how the judge did in its tests; null where it had none and needed none."""
    if not judge.tested and not judge.blind:
        return None
    return {
        "text": judge.text or None,
        "canaries": _rate(judge.canaries),
        "controls": _rate(judge.controls),
        "min_catch": judge.minimums.catch or None,
        "max_false_alarm": judge.minimums.false_alarm or None,
        "blind": [blind.text for blind in judge.blind],
    }


def _rate(rate: Rate) -> dict[str, Any]:
    return {
        "total": rate.total,
        "right": rate.good,
        "wrong": list(rate.wrong),
        "not_judged": list(rate.unjudged),
    }


def self_test_json(task: TaskReport) -> dict[str, Any] | None:
    """Return what a task tests of the judge, and what it came to; null for nothing."""
    test, outcome = task.spec.self_test, task.test_outcome
    if test is None or outcome is None:
        return None
    return {**test.to_json(), "outcome": outcome.value}


def _outcome(report: PhaseReport | None) -> dict[str, Any]:
    if report is None:
        return {"outcome": None, "phase": None, "message": None}
    return {"outcome": report.outcome, "phase": report.phase or None, "message": report.message}


def _attempt(attempt: TaskAttempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "part": attempt.part,
        "worker": attempt.worker,
        "node": attempt.node,
        "assigned": attempt.assigned,
        "claimed": attempt.claimed,
        "ended": attempt.ended,
        "seconds": attempt.seconds,
        "verdict": _verdict(attempt.verdict),
        "trouble": attempt.trouble.to_json() if attempt.trouble else None,
        "usage": attempt.usage.to_json() if attempt.usage else None,
        "about": told_facts(attempt.about, attempt.tool_calls),
        "sha256": attempt.sha256,
    }


def _verdict(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    return {
        "verdict": verdict.verdict.value,
        "summary": verdict.summary,
        "findings": [finding_json(finding) for finding in verdict.findings],
        "data": verdict.data,
        "checked": list(verdict.checked),
        "open": list(verdict.open),
    }


def finding_json(finding: Finding) -> dict[str, Any]:
    """Return a finding with all its fields, there or not, and what is known of it."""
    return {
        "severity": finding.severity.value,
        "message": finding.message,
        "path": finding.path,
        "line": finding.line,
        "rule": finding.rule,
        "quote": finding.quote,
        "blocks": finding.facts.excuse is None,
        **{name: getattr(finding.facts, name) for name in FindingFacts.__slots__},
    }


def _merged(run: RunReport) -> Iterator[dict[str, Any]]:
    """Yield the findings of a run, each once, worst first."""
    for issue in issues_of(run):
        found = issue.found
        if found is None:
            continue
        place = found.place.finding
        yield {
            "severity": issue.severity.value,
            "message": found.speaker.finding.message,
            "path": place.path,
            "line": place.line,
            "rule": None if found.rule == FINDING else found.rule,
            "fails": found.fails,
            "excuse": found.excuse,
            "fingerprint": issue.fingerprint,
            "found_by": len(found.members),
            "judged": issue.judged,
            "items": [
                {"nodeid": one.task.nodeid, "task": one.task.number - 1, "finding": one.number}
                for one in found.members
            ],
        }
