"""The report of one item, as text: what pytest shows of a failure, and JUnit keeps. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_ptc.reporting.wording import (
    LONGEST,
    cut,
    ending,
    finding_text,
    findings_of,
    hung,
    output_lines,
    worst_first,
)
from pytest_ptc.text.printable import printable, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_ptc.model.result import AttemptReport, Result
    from pytest_ptc.model.verdict import Finding

# pytest's JUnit `message` holds whole lines of 500 characters together, and puts
# "failed on setup with" before them: the first line and the worst finding are made to fit.
_HEADLINE, _HEADLINE_FINDING = 280, 170

#: Most findings and last lines of evidence in an item's own report.
_REPORT_FINDINGS, _EVIDENCE_LINES = 20, 20


def failure_text(result: Result, journal: Path | str) -> str:
    """Return the report of an item that its agent failed: the verdict, findings and where to look.

    The first two lines hold the verdict and the worst finding within what JUnit keeps.
    """
    if result.verdict is None:
        return trouble_text(result, journal)
    ended = ending(result)
    lines = [
        *_headlines(f"ptc verdict: {ended.kind}", ended.said, result.verdict.findings),
        *_tried(result),
        *output_lines(result, journal),
        *_evidence(result),
    ]
    return "\n".join(lines)


def trouble_text(result: Result, journal: Path | str) -> str:
    """Return the report of an item without a verdict that counts: the cause, and what was tried."""
    ended = ending(result)
    lines = [
        *_headlines(f"ptc error: {ended.cause}", ended.said, findings_of(result)),
        *_tried(result),
        *output_lines(result, journal),
        *_evidence(result),
    ]
    return "\n".join(lines)


def _headlines(label: str, said: str, findings: Sequence[Finding]) -> Iterator[str]:
    """Yield the verdict and the worst finding, cut to fit JUnit's message, then all in full."""
    said = printable(said[:LONGEST])
    listed = [finding_text(finding) for finding in worst_first(findings)[:_REPORT_FINDINGS]]
    headline = f"{label} - {said}" if said else label
    yield cut(headline, _HEADLINE)
    yield from (f"  - {cut(text, _HEADLINE_FINDING)}" for text in listed[:1])
    if len(headline) > _HEADLINE:
        yield from (f"  | {line}" for line in wrap(said, 96, 50))
    for place, text in enumerate(listed):
        if place or len(text) > _HEADLINE_FINDING:
            yield from hung(wrap(text, 96, 20))
    if len(findings) > len(listed):
        yield f"  +{len(findings) - len(listed)} more"


def _tried(result: Result) -> Iterator[str]:
    if not result.reports:
        yield "no attempt was made"
    said = ending(result).said
    for report in result.reports:
        attempt = report.attempt
        what = f"attempt {attempt.number} on {attempt.worker}, {report.seconds:.1f} s"
        if result.resumed is not None:
            what += f", in run {result.resumed}"
        yield printable(f"{what}: {_how(report, said)}")


def _how(report: AttemptReport, said: str) -> str:
    if report.trouble is None:
        return f"verdict {report.verdict.verdict}" if report.verdict else "no result"
    # The message of the last attempt is the headline already.
    if report.trouble.message == said:
        return report.trouble.cause.value
    return f"{report.trouble.cause} - {cut(printable(report.trouble.message[:LONGEST]), 400)}"


def _evidence(result: Result) -> list[str]:
    if result.verdict is not None:
        # A program that failed by its exit status has said why in its output.
        seen = str(result.reports[-1].about.get("last_lines", ""))
    else:
        troubles = [result.trouble, *(report.trouble for report in reversed(result.reports))]
        seen = next((trouble.evidence for trouble in troubles if trouble and trouble.evidence), "")
    # A bare carriage return is a progress bar drawn anew.
    lines = [line for line in re.split(r"[\r\n]+", seen[-LONGEST:]) if line.strip()]
    if not lines:
        return []
    return [
        "last lines:",
        *(f"  | {cut(printable(line), 200)}" for line in lines[-_EVIDENCE_LINES:]),
    ]
