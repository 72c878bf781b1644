"""The report of one item, as text: what pytest shows of a failure, and JUnit keeps. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_ptc.reporting.attempts import NOT_NEEDED, vote_part
from pytest_ptc.reporting.task_report import worst_first
from pytest_ptc.reporting.wording import MAX_TEXT_CHARS, cut, finding_text, hung, output_lines
from pytest_ptc.reporting.worker_names import at_node
from pytest_ptc.text.printable import printable, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_ptc.model.verdict import Finding
    from pytest_ptc.reporting.attempts import TaskAttempt
    from pytest_ptc.reporting.task_report import TaskReport

# pytest's JUnit `message` holds whole lines of 500 characters together, and puts
# "failed on setup with" before them: the first line and the worst finding are made to fit.
_HEADLINE, _HEADLINE_FINDING = 280, 170

#: Most findings and last lines of evidence in an item's own report.
_REPORT_FINDINGS, _EVIDENCE_LINES = 20, 20
#: Most findings of a vote whose panel came to nothing, and most characters of a line that a
#: verifier quotes.
_VOTE_FINDINGS, _QUOTE = 5, 120


def failure_text(task: TaskReport, journal: Path | str) -> str:
    """Return the report of an item that its agent failed, or that has no verdict that counts.

    The verdict or the cause, findings, what was tried, and where to look. The first two lines hold
    the verdict and the worst finding within what JUnit keeps.
    """
    reason = task.reason
    label = f"ptc verdict: {reason.kind}" if task.verdict else f"ptc error: {reason.label}"
    # Of a test of the judge, that says what was expected.
    said = reason.text if task.verdict and task.tests_judge else reason.said
    lines = [
        *_headlines(label, said, task.findings),
        *_tried(task),
        *output_lines(task, journal),
        *_evidence(task),
    ]
    return "\n".join(lines)


def _headlines(label: str, details: str, findings: Sequence[Finding]) -> Iterator[str]:
    """Yield the verdict and the worst finding, cut to fit JUnit's message, then all in full."""
    details = printable(details[:MAX_TEXT_CHARS])
    listed = [finding_text(finding) for finding in worst_first(findings)[:_REPORT_FINDINGS]]
    headline = f"{label} - {details}" if details else label
    yield cut(headline, _HEADLINE)
    yield from (f"  - {cut(text, _HEADLINE_FINDING)}" for text in listed[:1])
    if len(headline) > _HEADLINE:
        yield from (f"  | {line}" for line in wrap(details, 96, 50))
    for place, text in enumerate(listed):
        if place or len(text) > _HEADLINE_FINDING:
            yield from hung(wrap(text, 96, 20))
    if len(findings) > len(listed):
        yield f"  +{len(findings) - len(listed)} more"


def _tried(task: TaskReport) -> Iterator[str]:
    if not task.attempts:
        yield "no attempt was made"
    details = task.reason.said
    for attempt in task.attempts:
        part = f"{attempt.part}, " if attempt.part else ""
        what = f"{part}attempt {attempt.number} on {at_node(attempt.worker, attempt.node)}"
        what += f", {attempt.seconds or 0.0:.1f} s"
        if task.kept_from is not None:
            what += f", in run {task.kept_from}"
        yield printable(f"{what}: {_how(attempt, details)}")
        for finding in task.only_said_by(attempt)[:_VOTE_FINDINGS]:
            yield from hung(wrap(finding_text(finding), 96, 5))
    for vote in task.votes:
        if vote.state == NOT_NEEDED:
            part = vote_part(vote.number, len(task.votes), vote.voter)
            yield printable(f"{part}: {NOT_NEEDED}")


def _how(attempt: TaskAttempt, details: str) -> str:
    trouble = attempt.trouble
    if trouble is None:
        if attempt.is_check:
            return f'{attempt.ended_as}: "{cut(printable(attempt.said[:MAX_TEXT_CHARS]), _QUOTE)}"'
        return f"verdict {attempt.kind}" if attempt.kind else "no result"
    # The message of the last attempt is the headline already.
    if trouble.message == details:
        return trouble.cause.value
    return f"{trouble.cause} - {cut(printable(trouble.message[:MAX_TEXT_CHARS]), 400)}"


def _evidence(task: TaskReport) -> list[str]:
    if task.verdict is not None:
        # A program that failed by its exit status has said why in its output.
        seen = str(task.attempts[-1].about.get("last_lines", ""))
    else:
        troubles = [task.trouble, *(attempt.trouble for attempt in reversed(task.attempts))]
        seen = next((trouble.evidence for trouble in troubles if trouble and trouble.evidence), "")
    # A bare carriage return is a progress bar drawn anew.
    lines = [line for line in re.split(r"[\r\n]+", seen[-MAX_TEXT_CHARS:]) if line.strip()]
    if not lines:
        return []
    return [
        "last lines:",
        *(f"  | {cut(printable(line), 200)}" for line in lines[-_EVIDENCE_LINES:]),
    ]
