"""Which run a command means: the runs of the project, and those that a word names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.journal.keys import existing_key
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.runs.places import project_of, root_of, runs_of
from pytest_ptc.runs.recorded import RecordedRun, open_runs
from pytest_ptc.runs.state import RefusedRun, RunState

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
    """Return the run whose id ends in `wanted`, or the last one.

    Args:
        wanted: The end of its id; None for the last run.
        among: The project's runs, oldest first, if they have been read already.

    Raises:
        ConfigError: No run or several match.
        RunRefusedError: Its journal cannot be trusted.
    """
    found = runs_here() if among is None else among
    return only(found if wanted else found[-1:], wanted)


def active_run(wanted: str | None) -> RecordedRun:
    """Return the active run whose id ends in `wanted`, or the only one; raises as `named_run`."""
    found = runs_here()
    refused = [run for run in found if isinstance(run, RefusedRun)] if wanted else []
    active = [run for run in verified(found) if run.state is RunState.RUNNING]
    return only([*refused, *active], wanted, "active")


def only(
    found: Sequence[RecordedRun | RefusedRun], wanted: str | None, state: str = ""
) -> RecordedRun:
    """Return the one of these runs whose id ends in `wanted`; raises as `named_run`.

    Args:
        found: The runs.
        wanted: The end of a run's id; None for any.
        state: What all of them are, for messages, such as `active`.
    """
    matching = [run for run in found if wanted is None or run.run_id.endswith(wanted)]
    if len(matching) != 1:
        raise ConfigError(_match_problem(matching, wanted, state))
    if isinstance(matching[0], RefusedRun):
        raise matching[0].error()
    return matching[0]


def _match_problem(
    matching: Sequence[RecordedRun | RefusedRun], wanted: str | None, state: str
) -> str:
    if matching:
        ids = ", ".join(run.run_id for run in matching)
        return f"{len(matching)} {state} runs match: {ids}; give more of the id".replace("  ", " ")
    if wanted is not None:
        noun = f"{state} run".lstrip()
        return f"no {noun} has an id that ends in {wanted!r}; see `ptc list`"
    return f"no run is {state}; see `ptc list`" if state else "this project has no runs"


def verified(found: Sequence[RecordedRun | RefusedRun]) -> list[RecordedRun]:
    """Return the runs whose journals were verified."""
    return [run for run in found if isinstance(run, RecordedRun)]
