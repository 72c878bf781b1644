"""`ptc stop`: an active run, ended in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.cli.named_runs import active_run, add_run
from pytest_ptc.runs.control import PATIENCE, stop_run
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def add_arguments(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    """Declare the arguments of `ptc stop`."""
    add_run(parser, "the only one")


def run(arguments: argparse.Namespace) -> int:
    """End a run, and print whether it has ended.

    Raises:
        PtcError: There is not one such run.
    """
    found = active_run(arguments.run)
    over = stop_run(found)
    print(printable(f"{found.run_id}: {'ended' if over else f'still on after {PATIENCE:g} s'}"))
    return 0
