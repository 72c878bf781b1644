"""`ptc stats`: what the kept runs of a project say of its suites and their judges."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pytest_ptc.cli.glances import runs_at_a_glance
from pytest_ptc.cli.printing import print_lines
from pytest_ptc.reporting.document import json_text
from pytest_ptc.reporting.statistics import statistics_json, statistics_lines, suite_statistics
from pytest_ptc.reporting.wording import count
from pytest_ptc.runs.history import read_history
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def add_arguments(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    """Declare the arguments of `ptc stats`."""
    parser.add_argument("suite", nargs="?", help="a file of items (default: all)")
    parser.add_argument(
        "--json", action="store_true", help="one JSON document, with all flaky items"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the statistics; runs that are not believed, or were not read, are told on stderr."""
    here = runs_at_a_glance()
    history = read_history(here.folders, here.key)
    for refused in history.refused:
        print(printable(f"ptc: run {refused.run_id} is refused: {refused.reason}"), file=sys.stderr)
    if history.left_out:
        print(f"ptc: {count(history.left_out, 'older run')} not read", file=sys.stderr)
    suites = suite_statistics(history.runs)
    if arguments.suite is not None:
        suites = [one for one in suites if one.suite == arguments.suite]
    if arguments.json:
        found = statistics_json(suites, [one.run_id for one in history.runs])
        return 0 if print_lines([json_text(found, indent=1)]) else 1
    if not suites:
        about = f" of {arguments.suite}" if arguments.suite else ""
        return (
            0
            if print_lines([printable(f"no judgement{about} in {count(len(history.runs), 'run')}")])
            else 1
        )
    return 0 if print_lines(list(statistics_lines(suites, len(history.runs)))) else 1
