"""`ptc stop`: stops an active run in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.cli.named_runs import active_run, add_run
from pytest_ptc.runs.control import STOP_TIMEOUT_S, stop_run
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def add_arguments(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    add_run(parser, "the only one")


def run(arguments: argparse.Namespace) -> int:
    """Stop a run, and print whether it has ended.

    Raises:
        PtcError: No run or several match.
    """
    found = active_run(arguments.run)
    ended = stop_run(found)
    print(
        printable(
            f"{found.run_id}: {'ended' if ended else f'still active after {STOP_TIMEOUT_S:g} s'}"
        )
    )
    return 0
