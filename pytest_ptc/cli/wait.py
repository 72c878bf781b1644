"""`ptc wait`: the end of a run, its results, and its exit status."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pytest_ptc.cli.named_runs import add_run, named_run, runs_here
from pytest_ptc.cli.printing import print_lines
from pytest_ptc.cli.results import MAX_BYTES
from pytest_ptc.model.item_states import ItemState
from pytest_ptc.reporting.result_lines import AGENT_MAX_BYTES, result_json_lines, result_lines
from pytest_ptc.reporting.story import run_report
from pytest_ptc.runs.control import wait_for_end
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pytest_ptc.reporting.run_report import RunReport

#: Exit statuses of a run that did not come to its end: an item failed, or none did.
_FAILED, _NOT_JUDGED = 1, 10


def add_arguments(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    """Declare the arguments of `ptc wait`."""
    add_run(parser, "the last one")
    parser.add_argument(
        "--json", action="store_true", help="print a JSON object for each item, and one of totals"
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="print whole summaries, and all findings"
    )


def run(arguments: argparse.Namespace) -> int:
    """Wait for the end of a run, print its results, and return its exit status.

    Raises:
        PtcError: No run or several match, or its process cannot be seen from here.
    """
    recorded = wait_for_end(named_run(arguments.run))
    report = run_report(recorded.events)
    if arguments.json:
        lines = result_json_lines(report)
    else:
        lines = result_lines(
            report,
            max_bytes=MAX_BYTES if arguments.verbose else AGENT_MAX_BYTES,
            verbose=arguments.verbose,
            others=[other.run_id for other in runs_here()],
        )
    print_lines(lines)
    if report.exit_status is None:
        message = f"ptc wait: run {recorded.run_id} was killed before its end: {recorded.standing}"
        print(printable(message), file=sys.stderr)
    return status_of(report)


def status_of(report: RunReport) -> int:
    """Return the exit status of a run that is over: 0 for a success alone."""
    if report.exit_status is None:
        return _FAILED if report.states[ItemState.FAILED] else _NOT_JUDGED
    return report.exit_status if report.exit_status or report.successful else _NOT_JUDGED
