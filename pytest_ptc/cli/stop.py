"""`ptc stop`: stops an active run in order, or one of its tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.cli.coordinator_call import stop_task
from pytest_ptc.cli.items import item_of
from pytest_ptc.cli.named_runs import active_run, add_run
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.runs.control import STOP_TIMEOUT_S, stop_run
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def add_arguments(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    add_run(parser, "the only one")
    parser.add_argument(
        "item",
        nargs="?",
        help="the item whose task to end, by its id, the end of it, or a part that no other has; "
        "the run goes on (default: the whole run)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Stop a run or one of its tasks, and print what became of that.

    Raises:
        PtcError: No run or several match.
    """
    found = active_run(arguments.run)
    if arguments.item is not None:
        _, task, name = item_of(found, arguments.item)
        if task.task_id is None:
            raise ConfigError(f"{name} has no task in this run")
        stop_task(found, task.task_id)
        print(printable(f"{found.run_id}: {name}: stopped"))
        return 0
    ended = stop_run(found)
    print(
        printable(
            f"{found.run_id}: {'ended' if ended else f'still active after {STOP_TIMEOUT_S:g} s'}"
        )
    )
    return 0
