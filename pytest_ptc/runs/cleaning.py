"""Ending runs from outside, and removing what killed ones have left.

What a verified journal names is ended or removed only where it can be seen to be the run's: a
process by its identity and its command line or mark, a folder and a socket by place, owner and
content, a task by the run's id in it. What cannot stays, and that is said.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from pytest_ptc.interfaces.names import RunNames, ScratchPlaces
from pytest_ptc.journal.events import RunCleaned, TaskSubmitted, WorkerStarted
from pytest_ptc.journal.story import STORY, add_event
from pytest_ptc.model.errors import JournalError, TaskListError
from pytest_ptc.model.variables import RUN_COOKIE
from pytest_ptc.runs.recorded import RunState
from pytest_ptc.system.git.worktrees import remove_all
from pytest_ptc.system.machine import arguments_of
from pytest_ptc.system.processes import ProcessIdentity, end_marked, end_trees, wait_gone
from pytest_ptc.system.scratch import (
    is_scratch_place,
    not_our_scratch,
    remove_scratch,
)
from pytest_ptc.tasklist.store import TaskListStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_ptc.runs.recorded import RecordedRun

#: Seconds that a run has to end in order, its workers' and its reports' time included.
PATIENCE = 60.0
#: The longest task file that is looked at.
MAX_TASK_BYTES = 16 * 1024 * 1024


class Cleaned(NamedTuple):
    """What became of what a killed run has left, each in words."""

    removed: list[str]
    left: list[str]

    def __str__(self) -> str:
        left = f"; left {', '.join(self.left)}" if self.left else ""
        return f"removed {', '.join(self.removed) or 'nothing'}{left}"


def stop_run(run: RecordedRun) -> bool:
    """End a run in order, as Ctrl-C does; tell whether it has ended."""
    run.pytest.send(signal.SIGTERM)
    return not wait_gone([run.pytest], PATIENCE)


def watch(run: RecordedRun) -> NoReturn:
    """Become the program that shows a run's workers.

    Raises:
        TaskListError: Its workers have no screen.
    """
    socket = run.began.tmux_socket
    tmux = shutil.which("tmux")
    if socket is None or tmux is None:
        raise TaskListError(f"run {run.run_id} has no screen to watch: its host is no tmux")
    os.execv(tmux, [tmux, "-S", socket, "attach"])


def clean_run(run: RecordedRun) -> Cleaned:
    """Remove what a killed run has left but its journal, and return what that was.

    Raises:
        JournalError: The journal cannot be written, or the run's processes cannot be seen from
            here, so that it may still be on.
        TaskListError: The shared list cannot be written.
    """
    if not run.in_sight:
        raise JournalError(
            f"run {run.run_id}: was started in another container of this machine, whose processes "
            "cannot be seen from here; clean it there"
        )
    if _end_workers(run) or end_marked(RUN_COOKIE, run.run_id, grace=0.5):
        raise JournalError(f"run {run.run_id}: processes of it cannot be ended")
    done = Cleaned([], [])
    _end_tmux(run, done)
    _remove_scratch(run, done)
    _withdraw(run, done)
    event = RunCleaned(removed=tuple(done.removed), left=tuple(done.left))
    try:
        add_event(run.folder / STORY, run.story, run.key, event)
    except OSError as error:
        raise JournalError(f"journal {run.folder}: {error.strerror or error}") from error
    return done


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


def _end_workers(run: RecordedRun) -> list[ProcessIdentity]:
    """End workers that did not end with their run, as stopped ones; return what survived."""
    if not run.of_this_boot or run.began.scratch is None:
        return []
    known = []
    for event in run.events:
        if isinstance(event, WorkerStarted) and event.pid is not None and event.created is not None:
            worker = ProcessIdentity(event.pid, event.created)
            # The last argument of a worker is its launch file, in the run's scratch folder.
            launch_file = ScratchPlaces(Path(run.began.scratch)).launch_file(event.worker)
            if str(launch_file) in (arguments_of(worker.pid) or ()):
                known.append(worker)
    return end_trees(known, grace=0.0)


def _end_tmux(run: RecordedRun, done: Cleaned) -> None:
    socket = Path(run.began.tmux_socket or os.devnull)
    if run.began.tmux_socket is None or not os.path.lexists(socket):
        return
    if (why := _not_our_socket(socket, run.run_id)) is not None:
        done.left.append(f"{socket}: {why}")
        return
    tmux = shutil.which("tmux")
    if tmux is not None:
        ending = [tmux, "-S", str(socket), "kill-server"]
        subprocess.run(ending, check=False, capture_output=True, timeout=10)
    socket.unlink(missing_ok=True)
    done.removed.append("tmux server")


def _not_our_socket(socket: Path, run_id: str) -> str | None:
    folder, there = socket.parent.lstat(), socket.lstat()
    if socket.name != RunNames(run_id).tmux_socket or not stat.S_ISSOCK(there.st_mode):
        return "is not the socket of the run"
    if there.st_uid != os.geteuid() or folder.st_uid != os.geteuid():
        return "belongs to another user"
    if not stat.S_ISDIR(folder.st_mode) or folder.st_mode & 0o022:
        return "is not in a folder of tmux"
    return None


def _remove_scratch(run: RecordedRun, done: Cleaned) -> None:
    if run.began.scratch is None:
        return
    scratch = Path(run.began.scratch)
    gone = not os.path.lexists(scratch)
    if is_scratch_place(scratch) and (gone or not_our_scratch(scratch, run.run_id) is None):
        # Git's notes of worktrees stay when the folder has been removed already.
        remove_all(_isolated(run), scratch)
    if gone:
        return
    if (why := remove_scratch(scratch, run.run_id)) is not None:
        done.left.append(f"{scratch}: {why}")
    else:
        done.removed.append("socket")


def _isolated(run: RecordedRun) -> list[str]:
    """Return a directory of each repository of which the run had worktrees."""
    specs = (event.spec for event in run.events if isinstance(event, TaskSubmitted))
    return [spec.cwd for spec in specs if spec.isolation is not None]


def _withdraw(run: RecordedRun, done: Cleaned) -> None:
    """Take the run's tasks off the shared list, and the list with them if it was the run's own."""
    if run.began.task_list is None:
        return
    path = Path(run.began.task_list)
    try:
        seen = path.lstat()
    except OSError:
        return
    if path.parent.name != "tasks" or not stat.S_ISDIR(seen.st_mode):
        done.left.append(f"{path}: is not a task list")
        return
    if seen.st_uid != os.geteuid():
        done.left.append(f"{path}: belongs to another user")
        return
    # It was made for the run, and named after it; what somebody else put there keeps it.
    own = run.began.own_list and path.name == RunNames(run.run_id).task_list
    store = TaskListStore(path.parent.parent, path.name, run_id=run.run_id, own=own)
    if count := store.withdraw_run():
        done.removed.append(f"{count} task{'s' * (count != 1)}")
