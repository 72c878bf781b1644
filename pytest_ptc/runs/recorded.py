"""Runs as their journals record them, seen from another process.

Only a journal that is proved to be this user's is used: see `open_run`. The events that were
verified are kept; no story is read a second time.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_ptc.journal.attempt_reader import AttemptReader
from pytest_ptc.journal.events import RunCleaned, RunEnded, RunStopping, event_to_json
from pytest_ptc.journal.lines import STORY, StoryError
from pytest_ptc.journal.outline import RunOutline
from pytest_ptc.journal.seals import RunKey
from pytest_ptc.journal.story import Story, read_story, story_events
from pytest_ptc.model.errors import JournalError
from pytest_ptc.runs.state import RefusedRun, RunState, state_of
from pytest_ptc.runs.trust import place_problem, tracked_runs
from pytest_ptc.system.machine import boot_id, process_space
from pytest_ptc.system.processes import ProcessIdentity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pytest_ptc.journal.events import Event, RunBegan
    from pytest_ptc.journal.outline import Standing
    from pytest_ptc.journal.run_journal import Journal


@dataclass(frozen=True, kw_only=True)
class RecordedRun:
    """One run, by its journal, which has been verified.

    Args:
        folder: Its journal.
        key: What it is sealed with.
        story: Its story.
        state: Its state.
    """

    folder: Path
    key: RunKey
    story: Story
    state: RunState

    @property
    def run_id(self) -> str:
        return self.folder.name

    @property
    def events(self) -> tuple[Event, ...]:
        return self.story.events

    @property
    def began(self) -> RunBegan:
        return self.story.began

    @property
    def attach(self) -> str | None:
        """Return the command that attaches to its workers' screens; None without screens."""
        return self.began.attach

    @property
    def interactive(self) -> bool:
        """Tell whether people are to type into its workers' panes."""
        return self.began.interactive

    @property
    def pytest(self) -> ProcessIdentity:
        """Return the identity of its pytest process, alive or not."""
        return ProcessIdentity(self.began.pid, self.began.created)

    @property
    def of_this_boot(self) -> bool:
        """Tell whether its processes were started after this machine's last boot."""
        return self.began.boot == boot_id()

    @property
    def in_sight(self) -> bool:
        """Tell whether this process can see its processes, or knows that they have ended."""
        return not self.of_this_boot or self.began.process_space == process_space()

    @cached_property
    def outline(self) -> RunOutline:
        """Return the run in outline."""
        first, *rest = map(event_to_json, self.events)
        outline = RunOutline(first)
        for event in rest:
            outline.take(event)
        return outline

    @property
    def standing(self) -> Standing:
        return self.outline.standing

    def attempt(self, name: str, schema: Mapping[str, Any] | None = None) -> AttemptReader:
        """Return a reader of an attempt's folder.

        Args:
            name: The attempt's name.
            schema: JSON Schema for the data of its verdicts.

        Raises:
            JournalError: Its folder is missing, or is not a directory of this user.
        """
        folder = self.folder / "attempts" / name
        try:
            seen = folder.lstat()
        except OSError as error:
            raise JournalError(f"journal {folder}: {error.strerror}") from error
        if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid():
            raise JournalError(f"journal {folder}: is not a directory that belongs to you")
        return AttemptReader(folder, self.key.seal(name), schema=schema)


def open_run(folder: Path, root: Path, key: bytes | None) -> RecordedRun:
    """Return the run of a journal, proved to be one of this user's.

    Args:
        folder: The run's folder.
        root: The project's root directory.
        key: The user's key; None where there is none.

    Raises:
        RunRefusedError: It is not proved; the message says why.
    """
    found = _opened(folder, root, key, tracked_runs(folder.parent))
    if isinstance(found, RefusedRun):
        raise found.error()
    return found


def open_runs(runs: Path, root: Path, key: bytes | None) -> list[RecordedRun | RefusedRun]:
    """Return all that is in a folder of runs, oldest first.

    Args:
        runs: The folder of all runs' journals, which may be missing.
        root: The project's root directory.
        key: The user's key; None where there is none.
    """
    try:
        folders = sorted(runs.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        return [RefusedRun(runs.name, f"{runs} cannot be read: {error.strerror or error}")]
    tracked = tracked_runs(runs) if folders else frozenset()
    return [_opened(folder, root, key, tracked) for folder in folders]


def _opened(
    folder: Path, root: Path, key: bytes | None, tracked: frozenset[str]
) -> RecordedRun | RefusedRun:
    run_id = folder.name
    if run_id in tracked:
        return RefusedRun(run_id, "it is tracked by git, so it came with the checkout")
    if (problem := place_problem(folder, root)) is not None:
        return RefusedRun(run_id, f"it {problem}")
    run_key = RunKey(key, run_id) if key is not None else None
    try:
        story = read_story(folder / STORY, run_key)
    except StoryError as error:
        reason = str(error)
        return RefusedRun(run_id, reason if reason.startswith("its ") else f"it {reason}")
    assert run_key is not None, "without a key no line verifies"
    run = RecordedRun(folder=folder, key=run_key, story=story, state=RunState.ENDED)
    ended = any(isinstance(event, RunEnded | RunCleaned) for event in story.events)
    return replace(run, state=state_of(event_to_json(run.began), ended=ended))


def whole_story(journal: Journal) -> Iterator[Event]:
    """Yield a run's events; if its journal is incomplete, one of them says so.

    Raises:
        JournalError: It is gone, or somebody has changed it; before the first of them.
    """
    try:
        for number, event in enumerate(story_events(journal.folder / STORY, journal.key)):
            yield event
            if not number and journal.problem is not None:
                why = f"the journal is incomplete: {journal.problem}"
                yield RunStopping(at=event.at, why=why)
    except StoryError as error:
        raise JournalError(f"journal {journal.folder}: {error}") from error
