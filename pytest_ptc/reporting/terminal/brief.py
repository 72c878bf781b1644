"""The end of a run in brief: at most so many bytes, whatever the run is. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.reporting.list_lines import list_lines
from pytest_ptc.reporting.merged import merged_findings
from pytest_ptc.reporting.result_lines import result_lines, worst_lines
from pytest_ptc.reporting.terminal.summary import (
    Line,
    findings_of_several,
    flaky_items,
    judge_lines,
    lines_of_lists,
    passing_findings,
    suite_of_change,
    without_evidence,
)
from pytest_ptc.text.printable import clip, printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_ptc.reporting.run_report import RunReport

#: Most bytes of the lines of items and totals. With all else that is printed below, above and
#: beside it, a run stays below 20,000 characters.
_MAX_RESULT_BYTES = 13_000
#: Most columns of any other line, most problems, and most findings of several items.
_WIDTH, _PROBLEMS, _SEVERAL = 200, 5, 3


def brief_summary(
    report: RunReport,
    *,
    journal: Path | str,
    verbose: bool = False,
    problems: Sequence[str] = (),
    flaky: Sequence[str] = (),
) -> list[Line]:
    """Return the lines that close a run.

    Args:
        report: The run.
        journal: The run's folder, as a reader should find it.
        verbose: Whether items that passed have a line, too.
        problems: What the run could not write down or tidy up, a sentence each.
        flaky: A line for each item that an earlier run judged otherwise on the same input.
    """
    lines = result_lines if verbose else worst_lines
    *items, totals = lines(report, max_bytes=_MAX_RESULT_BYTES)
    merged = merged_findings(report)
    more = [
        *judge_lines(report.judge),
        *(() if verbose else passing_findings(report.as_collected, _WIDTH, 0, merged)),
        *findings_of_several(merged, _WIDTH, _SEVERAL),
        *without_evidence(report.as_collected),
        *flaky_items(flaky),
        *(() if verbose else lines_of_lists(list_lines(report))),
        *suite_of_change(report.changed_suite),
        *(Line(printable(problem)) for problem in problems[:_PROBLEMS]),
        Line(printable(f"journal {journal}")),
    ]
    return [
        *map(Line, items),
        *(line._replace(text=clip(line.text, _WIDTH)) for line in more),
        Line(f"ptc: {totals}"),
    ]
