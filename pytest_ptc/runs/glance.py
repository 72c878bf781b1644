"""Runs at a glance: in outline, for a list of them and for the status of one.

What is proved of a journal before it is used is what `open_run` asks for, but for the folders of
attempts, of which nothing is believed here. It imports and reads little: a person waits for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.journal.lines import STORY, StoryError, read_lines
from pytest_ptc.journal.outline import RunOutline, first_event
from pytest_ptc.journal.seals import RunKey
from pytest_ptc.runs.state import RefusedRun, RunState, state_of
from pytest_ptc.runs.trust import place_problem, tracked_runs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class GlancedRun(NamedTuple):
    """One run in outline, by its journal, which has been verified.

    Args:
        folder: Its journal.
        outline: What it tells.
        state: How it stands.
    """

    folder: Path
    outline: RunOutline
    state: RunState

    @property
    def run_id(self) -> str:
        """Return the run's id."""
        return self.folder.name


class RunFolder(NamedTuple):
    """A run's folder that nothing is known of, and the project's root directory."""

    folder: Path
    root: Path


def folders_of(runs: Sequence[RunFolder]) -> list[RunFolder]:
    """Return the runs in folders of runs, oldest first.

    Args:
        runs: The folders that hold runs, which may be missing.
    """
    found = [
        RunFolder(folder, root)
        for place, root in runs
        if place.is_dir()
        for folder in place.iterdir()
    ]
    return sorted(found, key=lambda run: run.folder.name)


def is_active(run: RunFolder, key: bytes | None) -> bool:
    """Tell whether the process of a run is alive, by its first event alone."""
    try:
        first, *_ = read_lines(run.folder / STORY, _run_key(run, key), most=1).texts
        return state_of(first_event(first), ended=False) is RunState.RUNNING
    except (StoryError, KeyError, ValueError):
        return False


def glance(run: RunFolder, key: bytes | None, *, attempts: bool = False) -> GlancedRun | RefusedRun:
    """Return a run in outline, or why its journal is not believed.

    Args:
        run: Its folder.
        key: The user's key; None where there is none.
        attempts: Whether to look at the folders of attempts, too.
    """
    found = _read(run, key, attempts=attempts)
    if isinstance(found, GlancedRun) and found.state is RunState.RUNNING:
        # Its process is alive: it has not come with a checkout.
        return found
    if run.folder.name in tracked_runs(run.folder.parent):
        return RefusedRun(run.folder.name, "it is tracked by git, so it came with the checkout")
    return found


def _read(run: RunFolder, key: bytes | None, *, attempts: bool) -> GlancedRun | RefusedRun:
    folder, root = run
    if (problem := place_problem(folder, root, attempts=attempts)) is not None:
        return RefusedRun(folder.name, f"it {problem}")
    try:
        lines = read_lines(folder / STORY, _run_key(run, key))
        outline = RunOutline.of(lines.texts)
    except StoryError as error:
        reason = str(error)
        reason = reason if reason.startswith("its ") else f"it {reason}"
        return RefusedRun(folder.name, reason)
    return GlancedRun(folder, outline, state_of(outline.began, ended=outline.ended is not None))


def _run_key(run: RunFolder, key: bytes | None) -> RunKey | None:
    return RunKey(key, run.folder.name) if key is not None else None
