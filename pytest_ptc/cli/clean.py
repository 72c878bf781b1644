"""`ptc clean`: removes what killed runs left behind, and old journals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.cli.named_runs import add_run, only, runs_here, verified
from pytest_ptc.runs.forgetting import forget_runs
from pytest_ptc.runs.state import RefusedRun, RunState
from pytest_ptc.session.cleaning import clean_run
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def add_arguments(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    add_run(parser, "all of them")
    parser.add_argument(
        "--keep",
        type=int,
        metavar="N",
        help="also delete journals, keeping those of the last N finished runs",
    )


def run(arguments: argparse.Namespace) -> int:
    """Remove what killed runs left behind, and journals with `--keep`; print what was removed.

    Raises:
        PtcError: No run or several match.
    """
    found = runs_here()
    refused = [run for run in found if isinstance(run, RefusedRun)]
    killed = [run for run in verified(found) if run.state is RunState.KILLED]
    if arguments.run:
        killed = [only([*refused, *killed], arguments.run, "killed")]
        refused = []
    lines = [f"{run.run_id}: {clean_run(run)}" for run in killed]
    if arguments.keep is not None:
        forgotten = forget_runs(verified(runs_here()), max(0, arguments.keep))
        lines += [f"{run_id}: removed its journal" for run_id in forgotten]
    lines += [f"{run.run_id}  refused: {run.reason}" for run in refused]
    print("\n".join([printable(line) for line in lines] or ["nothing to clean"]))
    return 0
