"""`ptc results`: what became of a run's items, from its journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.cli.named_runs import add_run, named_run, runs_here
from pytest_ptc.cli.printing import print_lines
from pytest_ptc.reporting.result_lines import result_json_lines, result_lines
from pytest_ptc.reporting.story import run_report
from pytest_ptc.runs.state import RunState

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

#: Most bytes of all lines, unless all are asked for.
MAX_BYTES = 20_000


def add_arguments(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    """Declare the arguments of `ptc results`."""
    add_run(parser, "the last one")
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json-lines",
        action="store_true",
        help="a JSON object for each item, with findings and data, and one of totals",
    )
    form.add_argument(
        "-v", "--verbose", action="store_true", help="whole summaries, and a line for each finding"
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="all lines in full, instead of at most 20,000 bytes with the worst items first; JSON "
        "lines are always all",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print a run's results; return 0 whatever they are, and 1 if nobody reads them to their end.

    Raises:
        ConfigError: No run or several match.
        RunRefusedError: Its journal is not believed.
    """
    runs = runs_here()
    found = named_run(arguments.run, runs)
    report = run_report(found.events)
    if arguments.json_lines:
        return _status(result_json_lines(report))
    return _status(
        result_lines(
            report,
            max_bytes=None if arguments.all else MAX_BYTES,
            verbose=arguments.verbose,
            active=found.state is RunState.RUNNING,
            others=[other.run_id for other in runs],
            rest=f"ptc results {{run}} --all{' -v' * arguments.verbose}",
        )
    )


def _status(lines: Sequence[str]) -> int:
    return 0 if print_lines(lines) else 1
