"""`ptc attach`: the screens of an active run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from pytest_ptc.cli.named_runs import active_run, add_run
from pytest_ptc.runs.control import watch

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def add_arguments(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    add_run(parser, "the only one")
    parser.add_argument(
        "--interactive",
        action="store_true",
        help="let keys through to the workers' panes; without it keys only look around",
    )


def run(arguments: argparse.Namespace) -> NoReturn:
    """Show the run's screens in place of this process.

    Raises:
        PtcError: No run or several match, or it has no screens.
    """
    watch(active_run(arguments.run), interactive=arguments.interactive)
