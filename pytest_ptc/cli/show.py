"""`ptc show`: one item of a run, and how to go on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.cli.items import add_run_and_item, item_of
from pytest_ptc.cli.named_runs import named_run, runs_here
from pytest_ptc.cli.printing import print_lines
from pytest_ptc.cli.talk import talk_problem
from pytest_ptc.reporting.finding_names import named_findings
from pytest_ptc.reporting.short_ids import short_run_id
from pytest_ptc.reporting.terminal.item_details import item_lines
from pytest_ptc.runs.activity import tool_calls
from pytest_ptc.runs.state import RunState

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def add_arguments(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    """Declare the arguments of `ptc show`."""
    add_run_and_item(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print what is known of an item.

    Raises:
        PtcError: There is not one such run, or not one such item.
    """
    runs = runs_here()
    found = named_run(arguments.run, runs)
    report, task, name = item_of(found, arguments.item)
    named = zip(report.as_collected, named_findings(report), strict=True)
    calls: list[str] = []
    if task.attempts and task.kept_from is None:
        calls = tool_calls(found.folder / "attempts" / task.attempts[-1].name)
    lines = item_lines(
        task,
        name,
        next(findings for one, findings in named if one is task),
        run=short_run_id(found.run_id, [other.run_id for other in runs]),
        journal=found.folder,
        calls=calls,
        session="there" if talk_problem(found, task) is None else None,
        active=found.state is RunState.RUNNING,
    )
    return 0 if print_lines(lines) else 1
