"""Runs as their journals record them, seen from another process.

Only a journal that is proved to be this user's is used: see `open_run`. The events that were
verified are kept; no story is read a second time.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_ptc.journal.attempt_reader import AttemptReader
from pytest_ptc.journal.events import (
    AttemptAssigned,
    AttemptEnded,
    ItemReported,
    RunCleaned,
    RunEnded,
    RunStopping,
    TaskGivenUp,
    TaskSubmitted,
    VerdictKept,
)
from pytest_ptc.journal.seals import RunKey
from pytest_ptc.journal.story import STORY, Story, StoryError, read_story
from pytest_ptc.model.errors import JournalError, PtcError
from pytest_ptc.model.trouble import Cause
from pytest_ptc.runs.trust import place_problem, tracked_runs
from pytest_ptc.system.machine import boot_id, process_space
from pytest_ptc.system.processes import ProcessIdentity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pytest_ptc.journal.events import Event, RunBegan
    from pytest_ptc.journal.run_journal import Journal
    from pytest_ptc.model.trouble import Trouble
    from pytest_ptc.model.verdict import Verdict


class RunState(Enum):
    """The state of a run."""

    RUNNING = "running"
    ENDED = "ended"
    KILLED = "killed"


class RunRefusedError(PtcError):
    """A journal that cannot be trusted; the message names the run and says why."""

    def __init__(self, run_id: str, reason: str) -> None:
        super().__init__(f"run {run_id} is refused: {reason}")
        self.run_id = run_id
        self.reason = reason


class RefusedRun(NamedTuple):
    """A run whose journal cannot be trusted, and why."""

    run_id: str
    reason: str

    def error(self) -> RunRefusedError:
        return RunRefusedError(self.run_id, self.reason)


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
    def standing(self) -> Standing:
        return _standing(self.events)

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
    if any(isinstance(event, RunEnded | RunCleaned) for event in story.events):
        return run
    alive = run.of_this_boot and run.in_sight and run.pytest.alive
    state = RunState.RUNNING if alive else RunState.KILLED
    return RecordedRun(folder=folder, key=run_key, story=story, state=state)


class Standing(NamedTuple):
    """How many tasks of a run have ended, and how.

    Args:
        total: How many tasks there are.
        kinds: How many ended with each kind of verdict; `error` where without one.
        stopped: Whether the run was stopped before its end.
    """

    total: int
    kinds: Mapping[str, int]
    stopped: bool

    @property
    def judged(self) -> int:
        """Return how many have a verdict other than `error`."""
        return sum(count for kind, count in self.kinds.items() if kind != "error")

    def __str__(self) -> str:
        counts = ", ".join(f"{self.kinds[kind]} {kind}" for kind in _KINDS if self.kinds.get(kind))
        stopped = "stopped, " if self.stopped else ""
        if sum(self.kinds.values()) == self.total and not self.stopped:
            return f"{self.total} item{'s' * (self.total != 1)}{': ' * bool(counts)}{counts}"
        return f"{stopped}{self.judged} of {self.total} judged{': ' * bool(counts)}{counts}"


_KINDS = ("pass", "fail", "skip", "error")


def _standing(events: Iterable[Event]) -> Standing:
    kinds: dict[str, str | None] = {}
    names: dict[str, str] = {}
    failed: set[str] = set()
    stopped = over = False
    for event in events:
        match event:
            case TaskSubmitted(task=task, spec=spec):
                kinds[task], names[task] = None, spec.nodeid
            case VerdictKept(task=task, nodeid=nodeid, report=report):
                kinds[task], names[task] = _kind(report.verdict, report.trouble), nodeid
            case AttemptAssigned(given=attempt):
                kinds[attempt.task_id] = None
            case AttemptEnded(task=task, verdict=verdict, trouble=trouble):
                kinds[task] = _kind(verdict, trouble)
            case TaskGivenUp(task=task, trouble=trouble):
                kinds[task] = _kind(None, trouble)
            case ItemReported(outcome="failed" | "error", nodeid=nodeid):
                failed.add(nodeid)
            case RunStopping():
                stopped = True
            case RunEnded() | RunCleaned():
                over = True
    ended = Counter(
        "fail" if kind == "pass" and names.get(task) in failed else kind
        for task, kind in kinds.items()
        if kind is not None
    )
    return Standing(len(kinds), ended, stopped and over and sum(ended.values()) < len(kinds))


def _kind(verdict: Verdict | None, trouble: Trouble | None) -> str | None:
    """Return the kind of a task's outcome; None if the run ended before the task."""
    if verdict is not None:
        return verdict.verdict.value
    return None if trouble is not None and trouble.cause in _NOT_DONE else "error"


#: Causes that end a task from outside: it has no outcome of its own.
_NOT_DONE = frozenset({Cause.STOPPED, Cause.RUN_TIMEOUT, Cause.BUDGET})


def whole_story(journal: Journal) -> list[Event]:
    """Return a run's events; if its journal is incomplete, one of them says so.

    Raises:
        JournalError: It is gone, or somebody has changed it.
    """
    try:
        events = list(read_story(journal.folder / STORY, journal.key).events)
    except StoryError as error:
        raise JournalError(f"journal {journal.folder}: {error}") from error
    if journal.problem is not None:
        why = f"the journal is incomplete: {journal.problem}"
        events.insert(1, RunStopping(at=events[0].at, why=why))
    return events
