"""`ptc diff`: what another run has found, against an earlier one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.cli.named_runs import runs_here
from pytest_ptc.cli.printing import print_lines
from pytest_ptc.model.baseline import difference
from pytest_ptc.model.verdict import FindingState
from pytest_ptc.reporting.compared import counts_text, difference_json, difference_lines
from pytest_ptc.reporting.document import json_text
from pytest_ptc.session.baselines import LAST, Project, past_run_named, read_baseline
from pytest_ptc.text.printable import clip, printable, utf8

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

#: Most columns of a line, and most bytes of all, unless all are asked for.
_WIDTH, MAX_BYTES = 300, 20_000
#: The status where something is new or regressed.
_NEWS = 1


def add_arguments(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    """Declare the arguments of `ptc diff`."""
    what = "the end of a run's id, last, a commit that it ran at, or its JSON report (*.json)"
    parser.add_argument("before", help=f"the earlier run: {what}")
    parser.add_argument(
        "after", nargs="?", default=LAST, help="the other run, named likewise (default: last)"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print all of it as a JSON object")
    form.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="also what is open, and what was not looked for",
    )
    parser.add_argument(
        "--all", action="store_true", help="all lines in full, instead of at most 20,000 bytes"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the difference; return 1 if something is new or regressed, else 0.

    Raises:
        ConfigError: A word means no run, or several.
        RunRefusedError: A journal is not believed.
    """
    project = Project(Path.cwd(), runs_here())
    source, after = past_run_named(arguments.after, project)
    baseline = read_baseline(arguments.before, project, until=after.began, excuses=False)
    found = difference(baseline, after)
    if arguments.json:
        lines = [json_text(difference_json(found), indent=1)]
    else:
        total = printable(f"{baseline.source} to {source}: {counts_text(found)}")
        told = difference_lines(found, verbose=arguments.verbose)
        lines = [*(told if arguments.all else bounded(told, MAX_BYTES)), total]
    if not print_lines(lines):
        return _NEWS
    return _NEWS if found.of(FindingState.NEW) or found.of(FindingState.REGRESSED) else 0


def bounded(lines: Iterable[str], most: int) -> list[str]:
    """Return the first lines, as many as fit into so many bytes, and how many do not. Pure."""
    all_lines = [clip(line, _WIDTH) for line in lines]
    shown: list[str] = []
    size = 0
    for line in all_lines:
        size += len(utf8(line)) + 1
        if size > most:
            return [*shown, f"{len(all_lines) - len(shown)} more; --all prints them"]
        shown.append(line)
    return shown
