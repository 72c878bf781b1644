"""`ptc list`: lists the runs of a project with their states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.cli.named_runs import runs_here
from pytest_ptc.runs.recorded import RecordedRun, RefusedRun, RunState
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def add_arguments(_: argparse.ArgumentParser, __: Sequence[str]) -> None:
    """Declare nothing: this command has no arguments."""


def run(_: argparse.Namespace) -> int:
    """Print a line for each run."""
    print("\n".join([listed(found) for found in runs_here()] or ["no runs here"]))
    return 0


def listed(run: RecordedRun | RefusedRun) -> str:
    if isinstance(run, RefusedRun):
        return printable(f"{run.run_id}  refused: {run.reason}")
    how = f", watch with: {run.attach}" if run.attach and run.state is RunState.RUNNING else ""
    return printable(f"{run.run_id}  {run.state.value:<7}  {run.standing}{how}")
