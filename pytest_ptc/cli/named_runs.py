"""Which run a command means: the runs of the project, and those that a word names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.journal.keys import existing_key
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.runs.places import project_of, root_of, runs_of
from pytest_ptc.runs.recorded import RecordedRun, RefusedRun, RunState, open_runs

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def add_run(parser: argparse.ArgumentParser, default: str) -> None:
    """Declare the argument that names a run; `default` says which it is without one."""
    parser.add_argument(
        "run", nargs="?", help=f"the run's id, or the end of it (default: {default})"
    )


def runs_here() -> list[RecordedRun | RefusedRun]:
    """Return the runs of the project that the current directory is in, oldest first."""
    project = project_of(Path.cwd(), os.environ)
    key = existing_key(os.environ, [project.top] if project.top is not None else [])
    folders = runs_of(project, os.environ, key)
    found = [run for folder in folders for run in open_runs(folder, root_of(project, folder), key)]
    return sorted(found, key=lambda run: run.run_id)


def named_run(
    wanted: str | None, among: Sequence[RecordedRun | RefusedRun] | None = None
) -> RecordedRun:
    """Return the run whose id ends so, or the last one.

    Args:
        wanted: The end of its id; None for the last run.
        among: The project's runs, oldest first, where they have been read already.

    Raises:
        ConfigError: There is none, or there are several.
        RunRefusedError: Its journal is not believed.
    """
    found = runs_here() if among is None else among
    return only(found if wanted else found[-1:], wanted, "run")


def active_run(wanted: str | None) -> RecordedRun:
    """Return the active run whose id ends so, or the only one; raises as `named_run`."""
    found = runs_here()
    refused = [run for run in found if isinstance(run, RefusedRun)] if wanted else []
    active = [run for run in verified(found) if run.state is RunState.RUNNING]
    return only([*refused, *active], wanted, "run that is on")


def only(found: Sequence[RecordedRun | RefusedRun], wanted: str | None, what: str) -> RecordedRun:
    """Return the one of these runs whose id ends as wanted; raises as `named_run`."""
    matching = [run for run in found if wanted is None or run.run_id.endswith(wanted)]
    if len(matching) != 1:
        ids = ", ".join(run.run_id for run in matching) or "none"
        raise ConfigError(f"there is not one {what}, but {ids}; see `ptc list`")
    if isinstance(matching[0], RefusedRun):
        raise matching[0].error()
    return matching[0]


def verified(found: Sequence[RecordedRun | RefusedRun]) -> list[RecordedRun]:
    """Return those of these runs whose journals are believed."""
    return [run for run in found if isinstance(run, RecordedRun)]
