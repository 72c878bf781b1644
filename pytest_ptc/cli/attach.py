"""`ptc attach`: the screens of an active run, also of a worker on another machine."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from pytest_ptc.cli.named_runs import active_run, add_run
from pytest_ptc.cli.printing import print_lines
from pytest_ptc.runs.control import watch
from pytest_ptc.runs.screens import screens_of
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_WORKER = re.compile(r"w\d+")


def add_arguments(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    add_run(parser, "the only one")
    parser.add_argument(
        "worker", nargs="?", help="the worker whose pane to show, such as w3 (default: any)"
    )
    parser.add_argument(
        "--interactive",
        action="store_true",
        help="let keys through to the workers' panes; without it keys only look around",
    )
    parser.add_argument(
        "--print",
        dest="told",
        action="store_true",
        help="print the command that shows them, and do not run it",
    )


def run(arguments: argparse.Namespace) -> int:
    """Show the run's screens in place of this process, or name those on several machines.

    Raises:
        PtcError: No run or several match, or it has no screens.
    """
    if arguments.worker is None and _WORKER.fullmatch(arguments.run or ""):
        arguments.run, arguments.worker = None, arguments.run
    found = screens_of(
        active_run(arguments.run).outline,
        worker=arguments.worker,
        interactive=arguments.interactive,
    )
    if arguments.told:
        lines = [screens.command for screens in found]
    elif len(found) == 1:
        if found[0].place:
            print(printable(f"ptc attach: {found[0].place}: {found[0].command}"), file=sys.stderr)
        watch(found[0])
    else:
        lines = [
            f"{screens.place}: {' '.join(screens.workers) or 'no worker'}: {screens.command}"
            for screens in found
        ]
        lines.append("one of them: ptc attach WORKER")
    return 0 if print_lines(lines) else 1
