"""Which item of a run a command means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.model.errors import ConfigError
from pytest_ptc.reporting.item_names import item_names
from pytest_ptc.reporting.story import run_report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pytest_ptc.reporting.run_report import RunReport
    from pytest_ptc.reporting.task_report import TaskReport
    from pytest_ptc.runs.recorded import RecordedRun

#: Candidates that are named where a word means several items.
_MAX_CANDIDATES = 8


def add_run_and_item(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that name a run and one of its items."""
    parser.add_argument("run", help="the run's id, or the end of it")
    parser.add_argument("item", help="the item's id, the end of it, or a part that no other has")


def item_of(run: RecordedRun, wanted: str) -> tuple[RunReport, TaskReport, str]:
    """Return the report of a run, one item of it, and that item's short name.

    Args:
        run: The run.
        wanted: The item's id or short name, the end of its id, or a part of it; the first of these
            that fits any item is what is meant.

    Raises:
        ConfigError: It names none, or several.
    """
    report = run_report(run.events)
    tasks = report.standing
    names = item_names([task.nodeid for task in tasks])
    place = place_of(wanted, [task.nodeid for task in tasks], names, run.run_id)
    return report, tasks[place], names[place]


def place_of(wanted: str, nodeids: Sequence[str], names: Sequence[str], run_id: str) -> int:
    """Return which of these items a word means, see `item_of`; raises as that."""
    pairs = list(enumerate(zip(nodeids, names, strict=True)))
    for found in (
        [place for place, (nodeid, name) in pairs if wanted in (nodeid, name)],
        [place for place, (nodeid, _) in pairs if nodeid.endswith((wanted, f"[{wanted}]"))],
        [place for place, (nodeid, _) in pairs if wanted in nodeid],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            few = ", ".join(names[place] for place in found[:_MAX_CANDIDATES])
            more = f" and {len(found) - _MAX_CANDIDATES} more" * (len(found) > _MAX_CANDIDATES)
            raise ConfigError(f"{wanted!r} means {len(found)} items: {few}{more}; name one")
    raise ConfigError(f"run {run_id} has no item {wanted!r}; see `ptc results {run_id}`")
