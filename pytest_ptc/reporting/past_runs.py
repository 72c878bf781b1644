"""Runs that have ended, as far as others are compared with them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pytest_ptc.model.baseline import Claim, PastRun, is_refused
from pytest_ptc.model.errors import ReportError
from pytest_ptc.model.excuses import MAX_MESSAGE_CHARS, claim_of
from pytest_ptc.model.sightings import Roots, Sighting, path_in_repository
from pytest_ptc.model.verdict import Excuse, FindingFacts, FindingState, Severity, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_ptc.reporting.run_report import RunReport

#: The form of a report's JSON, as `document` has it, and the beginning of its version.
_FORMAT, _VERSION = "pytest-ptc run report", "1."


def past_run(run: RunReport) -> PastRun:
    """Return a run as far as others are compared with it."""
    facts = run.facts
    roots = Roots(facts.rootdir, facts.repository)
    found: dict[str, list[Claim]] = {}
    for task in run.reviewing:
        if task.verdict is None or not _has_looked(task.verdict.verdict, task.findings):
            continue
        claims = found.setdefault(task.nodeid, [])
        for one in task.findings:
            refused = is_refused(
                one.severity,
                one.facts,
                kind=task.verdict.verdict,
                fail_on=task.spec.fail_on,
            )
            claim = claim_of(one, task.spec.cwd, roots, start=facts.rootdir)
            claims.append(claim._replace(refused=refused))
    return PastRun(run.run_id, run.began, facts.commit, found)


class _Finding(msgspec.Struct):
    severity: Severity
    message: str
    path: str | None = None
    line: int | None = None
    rule: str | None = None
    anchor: str | None = None
    state: FindingState | None = None
    excuse: Excuse | None = None


class _Verdict(msgspec.Struct):
    verdict: VerdictKind
    findings: list[_Finding]


class _Task(msgspec.Struct):
    nodeid: str
    cwd: str
    fail_on: str
    superseded: bool
    verdict: _Verdict | None
    self_test: object = None


class _Run(msgspec.Struct):
    id: str
    began: float
    rootdir: str
    repository: str | None
    commit: str | None


class _Document(msgspec.Struct):
    format: str
    version: str
    run: _Run
    tasks: list[_Task]


def past_run_in(content: bytes) -> PastRun:
    """Return the run of a JSON report, as far as others are compared with it.

    Raises:
        ReportError: It is no such report; the message says where.
    """
    try:
        document = msgspec.json.decode(content, type=_Document)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ReportError(f"is no JSON report of a run: {error}") from None
    if document.format != _FORMAT or not document.version.startswith(_VERSION):
        raise ReportError(
            f"is no JSON report of a run that this version reads: {document.format!r:.80}, "
            f"version {document.version!r:.20}"
        )
    run = document.run
    roots = Roots(run.rootdir, run.repository)
    found: dict[str, list[Claim]] = {}
    for task in document.tasks:
        verdict = task.verdict
        if verdict is None or not _has_looked(verdict.verdict, verdict.findings):
            continue
        if task.self_test is None and not task.superseded:
            found.setdefault(task.nodeid, []).extend(
                _claim(one, task, verdict.verdict, roots) for one in verdict.findings
            )
    return PastRun(run.id, run.began, run.commit, found)


def _has_looked(kind: VerdictKind, findings: Sequence[object]) -> bool:
    """Tell whether a verdict says what is not there: one of skip says at most what it has found."""
    return kind in (VerdictKind.PASS, VerdictKind.FAIL) or (
        kind is VerdictKind.SKIP and bool(findings)
    )


def _claim(one: _Finding, task: _Task, kind: VerdictKind, roots: Roots) -> Claim:
    path = path_in_repository(one.path, task.cwd, roots) if one.path else None
    seen = Sighting.of(path, one.line, one.rule, one.anchor)
    facts = FindingFacts(state=one.state, excuse=one.excuse)
    refused = is_refused(one.severity, facts, kind=kind, fail_on=task.fail_on)
    return Claim(seen, one.severity, one.message[:MAX_MESSAGE_CHARS], one.excuse, refused)
