"""`ptc status`: where a run stands, and what each of its workers does, at one moment."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pytest_ptc.cli.glances import runs_at_a_glance, terminal_columns
from pytest_ptc.cli.printing import print_lines
from pytest_ptc.reporting.terminal.run_status import MAX_WORKERS, status_lines
from pytest_ptc.runs.activity import activity

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pytest_ptc.cli.glances import RunsHere
    from pytest_ptc.runs.glance import GlancedRun


def add_arguments(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    """Declare the arguments of `ptc status`."""
    parser.add_argument(
        "run",
        nargs="?",
        help="the run's id, or the end of it (default: the active run, or the last)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print where a run stands.

    Raises:
        ConfigError: There is not one such run.
        RunRefusedError: Its journal is not believed.
    """
    here = runs_at_a_glance()
    lines = lines_of(here.one(arguments.run), here, terminal_columns())
    return 0 if print_lines(lines) else 1


def lines_of(
    found: GlancedRun, here: RunsHere, width: int | None, *, workers: int = MAX_WORKERS
) -> list[str]:
    """Return a run's status.

    Args:
        found: The run.
        here: The runs of its project.
        width: Columns of the terminal; None for no terminal.
        workers: How many workers have a line.
    """
    return status_lines(
        found.outline,
        run=here.short_id(found.run_id),
        state=found.state.value,
        now=time.time(),
        doing=lambda attempt: activity(found.folder / "attempts" / attempt),
        width=width,
        workers=workers,
    )
