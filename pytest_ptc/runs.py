"""Runs as their journals tell of them, from outside: which there are, and how they stand."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ptc.attempts import REPORT, AttemptJournal, changed_files
from pytest_ptc.environment import RUN_COOKIE
from pytest_ptc.errors import JournalError, TaskListError
from pytest_ptc.journal import STORY
from pytest_ptc.processes import ProcessIdentity, end_marked, end_trees, wait_gone
from pytest_ptc.tasklist.store import TaskListStore
from pytest_ptc.worktrees import remove_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Where pytest's cache, which may be set elsewhere, holds the journals of a project.
PLACE = Path(".pytest_cache/d/ptc/runs")

#: How the name of a run's scratch folder begins.
SCRATCH_PREFIX = "ptc-"

#: Seconds that a run has to end in order, its workers' and its reports' time included.
PATIENCE = 60.0


class RunState(Enum):
    """How a run stands."""

    RUNNING = "running"
    ENDED = "ended"
    KILLED = "killed"


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedRun:
    """One run, by its journal.

    Args:
        folder: Its journal.
        began: The fields of its first event.
        state: How it stands.
        total: How many tasks it has.
        done: How many of them have ended.
    """

    folder: Path
    began: Mapping[str, Any]
    state: RunState
    total: int
    done: int

    @property
    def run_id(self) -> str:
        """Return the run's id."""
        return self.folder.name

    @property
    def attach(self) -> str | None:
        """Return the command with which a person can watch, if there is one."""
        found: str | None = self.began["attach"]
        return found

    @property
    def pytest(self) -> ProcessIdentity:
        """Return the process that is or was pytest."""
        return ProcessIdentity(self.began["pid"], self.began["created"])


def find_runs(start: Path) -> list[RecordedRun]:
    """Return the runs of the project that this directory is in, oldest first."""
    for folder in (start, *start.parents):
        if (folder / PLACE).is_dir():
            found = (read_run(journal) for journal in sorted((folder / PLACE).iterdir()))
            return [run for run in found if run is not None]
    return []


def read_run(folder: Path) -> RecordedRun | None:
    """Return the run of a journal; None for a folder that is none, or is of an older version."""
    events = read_events(folder)
    try:
        began = next(event for event in events if event["event"] == "run")
        pytest = ProcessIdentity(began["pid"], began["created"])
    except (StopIteration, KeyError):
        return None
    tasks = {event["task"] for event in events if event["event"] == "submitted"}
    over = {event["task"] for event in events if event["event"] in ("settled", "ended")}
    if any(event["event"] == "run ended" for event in events):
        state = RunState.ENDED
    else:
        state = RunState.RUNNING if pytest.alive else RunState.KILLED
    return RecordedRun(
        folder=folder,
        began=began,
        state=state,
        total=len(tasks),
        done=len(tasks & over),
    )


def read_events(folder: Path) -> list[dict[str, Any]]:
    """Return what a run's journal tells; a line that was cut short tells nothing."""
    try:
        lines = (folder / STORY).read_bytes().splitlines()
    except OSError:
        return []
    events = []
    for line in lines:
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict) and "event" in event:
                events.append(event)
    return events


def whole_story(folder: Path, problem: str | None) -> list[dict[str, Any]]:
    """Return what a run's journal tells, and that it does not tell everything, if that is so.

    Raises:
        JournalError: It tells nothing any more.
    """
    events = read_events(folder)
    if not events:
        raise JournalError(f"journal {folder}: is gone")
    if problem is not None:
        events.insert(1, {"event": "stopping", "why": f"the journal is incomplete: {problem}"})
    return events


def stop_run(run: RecordedRun) -> bool:
    """End a run in order, as Ctrl-C does; tell whether it has ended."""
    run.pytest.send(signal.SIGTERM)
    return not wait_gone([run.pytest], PATIENCE)


def clean_run(run: RecordedRun) -> list[str]:
    """Remove what a killed run has left but its journal, and return what that was.

    A journal may have come from elsewhere, as from a CI system's cache: what it names is removed
    only if it has a name that a run gives.

    Raises:
        JournalError: The journal cannot be written.
        TaskListError: The shared list cannot be.
    """
    removed = []
    if _end_workers(run) or end_marked(RUN_COOKIE, run.run_id, grace=0.5):
        raise JournalError(f"run {run.run_id}: processes of it cannot be ended")
    if _end_tmux(run):
        removed.append("tmux server")
    scratch = Path(run.began["scratch"])
    ours = scratch.name.startswith(SCRATCH_PREFIX) and not scratch.is_symlink()
    if ours:
        # Git's notes of worktrees stay when the folder has been removed already.
        remove_all(_isolated(run), scratch)
    if ours and scratch.is_dir():
        shutil.rmtree(scratch, ignore_errors=True)
        removed.append("socket")
    count = _withdraw(run)
    if count:
        removed.append(f"{count} task{'s' * (count != 1)}")
    line = json.dumps({"event": "run ended", "at": round(time.time(), 6), "cleaned": removed})
    try:
        with (run.folder / STORY).open("ab") as journal:
            # After a line that the end of the machine may have cut short.
            journal.write(f"\n{line}\n".encode())
    except OSError as error:
        raise JournalError(f"journal {run.folder}: {error}") from error
    return removed


def forget_runs(found: Sequence[RecordedRun], keep: int) -> list[str]:
    """Remove the journals of runs that have ended, but for the last `keep`; return their ids.

    Raises:
        JournalError: One cannot be removed.
    """
    ended = [run for run in found if run.state is RunState.ENDED]
    old = ended[: max(0, len(ended) - keep)]
    for run in old:
        try:
            shutil.rmtree(run.folder)
        except OSError as error:
            raise JournalError(f"journal {run.folder}: {error}") from error
    return [run.run_id for run in old]


def audit_run(run: RecordedRun) -> tuple[int, list[str]]:
    """Compare what lies in a run's journal with the hashes that were taken of it.

    Returns:
        How many attempts there are, and what is wrong, a sentence each.
    """
    ended = [event for event in read_events(run.folder) if event["event"] == "ended"]
    problems: list[str] = []
    for event in ended:
        name = f"{event['task']}.{event['attempt']}"
        folder = run.folder / "attempts" / name
        if event.get("sha256") is None:
            problems.append(f"{name}: its report was never on disk")
        elif AttemptJournal(folder).digest() != event["sha256"]:
            problems.append(f"{name}: {REPORT} is not what the coordinator read")
        else:
            problems += [f"{name}: {wrong}" for wrong in changed_files(folder)]
    return len(ended), problems


def _end_workers(run: RecordedRun) -> list[ProcessIdentity]:
    """End workers that did not end with their run, as stopped ones; return what survived."""
    started = (event for event in read_events(run.folder) if event["event"] == "worker started")
    known = (ProcessIdentity(event["pid"], event.get("created") or -1.0) for event in started)
    return end_trees(known, grace=0.0)


def _isolated(run: RecordedRun) -> list[str]:
    """Return a directory of each repository of which the run had worktrees."""
    submitted = (event for event in read_events(run.folder) if event["event"] == "submitted")
    specs = (event["spec"] for event in submitted)
    return [spec["cwd"] for spec in specs if spec.get("isolation") is not None]


def _end_tmux(run: RecordedRun) -> bool:
    socket = run.began["tmux_socket"]
    if socket is None or Path(socket).name != f"ptc-{run.run_id}" or not Path(socket).exists():
        return False
    tmux = shutil.which("tmux")
    if tmux is not None:
        ending = [tmux, "-S", socket, "kill-server"]
        subprocess.run(ending, check=False, capture_output=True, timeout=10)
    Path(socket).unlink(missing_ok=True)
    return True


def _withdraw(run: RecordedRun) -> int:
    """Take the run's tasks off the shared list, and the list with them if it was the run's own."""
    path = Path(run.began["task_list"])
    if not path.is_dir():
        return 0
    own = run.began["own_list"] and path.name == f"ptc-{run.run_id}"
    store = TaskListStore(path.parent.parent, path.name, run_id=run.run_id, own=own)
    return store.withdraw_run()


def watch(run: RecordedRun) -> None:
    """Become the program that shows a run's workers.

    Raises:
        TaskListError: Its workers have no screen.
    """
    socket = run.began["tmux_socket"]
    tmux = shutil.which("tmux")
    if socket is None or tmux is None:
        raise TaskListError(f"run {run.run_id} has no screen to watch: its host is no tmux")
    os.execv(tmux, [tmux, "-S", socket, "attach"])
