"""`ptc list`, `attach`, `audit`, `stop` and `clean`: the runs of a project, seen from outside."""

from __future__ import annotations

import os
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NoReturn

from pytest_ptc.journal.keys import existing_key
from pytest_ptc.model.errors import ConfigError, JournalError
from pytest_ptc.runs.audit import audit_run
from pytest_ptc.runs.control import PATIENCE, forget_runs, stop_run, watch
from pytest_ptc.runs.places import project_of, root_of, runs_of
from pytest_ptc.runs.recorded import RecordedRun, RefusedRun, RunState, open_runs
from pytest_ptc.session.cleaning import clean_run
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence


def list_runs(_: argparse.Namespace) -> list[str]:
    """Return a line for each run."""
    return [_listed(run) for run in runs_here()] or ["no runs here"]


def attach(arguments: argparse.Namespace) -> NoReturn:
    """Show the run's screens in place of this process.

    Raises:
        PtcError: There is not one such run, or it has no screens.
    """
    watch(_active(arguments.run))


def stop(arguments: argparse.Namespace) -> list[str]:
    """End a run, and return whether it has ended.

    Raises:
        PtcError: There is not one such run.
    """
    run = _active(arguments.run)
    over = stop_run(run)
    return [printable(f"{run.run_id}: {'ended' if over else f'still on after {PATIENCE:g} s'}")]


def audit(arguments: argparse.Namespace) -> list[str]:
    """Return what an audit found.

    Raises:
        JournalError: Something is not as it was.
    """
    run = named_run(arguments.run)
    attempts, problems = audit_run(run)
    if problems:
        raise JournalError(f"run {run.run_id}:\n" + "\n".join(problems))
    plural = "s" * (attempts != 1)
    return [printable(f"{run.run_id}: {attempts} attempt{plural}, all as they were")]


def clean(arguments: argparse.Namespace) -> list[str]:
    """Remove what killed runs have left, and journals where that was asked; return what became.

    Raises:
        PtcError: There is not one such run.
    """
    found = runs_here()
    refused = [run for run in found if isinstance(run, RefusedRun)]
    killed = [run for run in _verified(found) if run.state is RunState.KILLED]
    if arguments.run:
        killed = [_only([*refused, *killed], arguments.run, "killed run")]
        refused = []
    lines = [f"{run.run_id}: {clean_run(run)}" for run in killed]
    if arguments.keep is not None:
        forgotten = forget_runs(_verified(runs_here()), max(0, arguments.keep))
        lines += [f"{run_id}: removed its journal" for run_id in forgotten]
    lines += [_listed(run) for run in refused]
    return [printable(line) for line in lines] or ["nothing to clean"]


#: What each command does; it returns the lines to print.
COMMANDS: Mapping[str, Callable[[argparse.Namespace], list[str]]] = MappingProxyType(
    {"list": list_runs, "attach": attach, "audit": audit, "stop": stop, "clean": clean}
)


def runs_here() -> list[RecordedRun | RefusedRun]:
    """Return the runs of the project that the current directory is in, oldest first."""
    project = project_of(Path.cwd(), os.environ)
    key = existing_key(os.environ, [project.top] if project.top is not None else [])
    folders = runs_of(project, os.environ, key)
    found = [run for folder in folders for run in open_runs(folder, root_of(project, folder), key)]
    return sorted(found, key=lambda run: run.run_id)


def named_run(wanted: str | None) -> RecordedRun:
    """Return the run whose id ends so, or the last one.

    Raises:
        ConfigError: There is none, or there are several.
        RunRefusedError: Its journal is not believed.
    """
    found = runs_here()
    return _only(found if wanted else found[-1:], wanted, "run")


def _active(wanted: str | None) -> RecordedRun:
    """Return the active run whose id ends so, or the only one; raises as `named_run`."""
    found = runs_here()
    refused = [run for run in found if isinstance(run, RefusedRun)] if wanted else []
    active = [run for run in _verified(found) if run.state is RunState.RUNNING]
    return _only([*refused, *active], wanted, "run that is on")


def _only(found: Sequence[RecordedRun | RefusedRun], wanted: str | None, what: str) -> RecordedRun:
    matching = [run for run in found if wanted is None or run.run_id.endswith(wanted)]
    if len(matching) != 1:
        ids = ", ".join(run.run_id for run in matching) or "none"
        raise ConfigError(f"there is not one {what}, but {ids}; see `ptc list`")
    if isinstance(matching[0], RefusedRun):
        raise matching[0].error()
    return matching[0]


def _verified(found: Sequence[RecordedRun | RefusedRun]) -> list[RecordedRun]:
    return [run for run in found if isinstance(run, RecordedRun)]


def _listed(run: RecordedRun | RefusedRun) -> str:
    if isinstance(run, RefusedRun):
        return printable(f"{run.run_id}  refused: {run.reason}")
    how = f", watch with: {run.attach}" if run.attach and run.state is RunState.RUNNING else ""
    return printable(f"{run.run_id}  {run.state.value:<7}  {run.standing}{how}")
