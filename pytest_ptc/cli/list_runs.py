"""`ptc list`: the runs of a project, with their results, age, cost and command."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from pytest_ptc.cli.glances import runs_at_a_glance, terminal_columns
from pytest_ptc.cli.printing import print_lines
from pytest_ptc.reporting.terminal.run_list import RunRow, run_rows
from pytest_ptc.runs.state import RefusedRun

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def add_arguments(_: argparse.ArgumentParser, __: Sequence[str]) -> None:
    """Declare nothing: this command has no arguments."""


def run(_: argparse.Namespace) -> int:
    """Print a line for each run.

    On a terminal, with the shortest id that names it now; else with the whole one, which a script
    can keep.
    """
    here = runs_at_a_glance()
    on_terminal = sys.stdout.isatty()
    rows = [
        RunRow(found.run_id, refused=found.reason)
        if isinstance(found, RefusedRun)
        else RunRow(
            here.short_id(found.run_id) if on_terminal else found.run_id,
            found.outline,
            found.state.value,
        )
        for found in here.all()
    ]
    lines = run_rows(rows, now=time.time(), width=terminal_columns())
    return 0 if print_lines(lines or ["no runs here"]) else 1
