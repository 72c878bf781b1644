"""Removing what a killed run has left: each part removes its own, by what the journal says of it.

What a verified journal names is ended or removed only where it can be seen to be the run's. What
cannot stays, and that is said.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.hosts.leftovers import clean_tmux, end_workers
from pytest_ptc.interfaces.names import ScratchPlaces
from pytest_ptc.journal.events import RunCleaned, TaskSubmitted, WorkerStarted
from pytest_ptc.journal.lines import STORY
from pytest_ptc.journal.story import add_event
from pytest_ptc.model.cleaned import Cleaned
from pytest_ptc.model.errors import JournalError
from pytest_ptc.model.variables import RUN_COOKIE
from pytest_ptc.system.git.worktrees import remove_all
from pytest_ptc.system.processes import ProcessIdentity, end_marked
from pytest_ptc.system.scratch import is_scratch_place, not_our_scratch, remove_scratch
from pytest_ptc.tasklist.leftovers import clean_list

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_ptc.runs.recorded import RecordedRun


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
    if end_workers(_workers(run)) or end_marked(RUN_COOKIE, run.run_id, grace=0.5):
        raise JournalError(f"run {run.run_id}: processes of it cannot be ended")
    done = clean_tmux(run.began.tmux_socket, run.run_id).and_(Cleaned(left=_nodes(run)))
    if run.began.scratch is not None:
        done = done.and_(_clean_scratch(run, Path(run.began.scratch)))
    if run.began.task_list is not None:
        path = Path(run.began.task_list)
        done = done.and_(clean_list(path, run.run_id, own=run.began.own_list))
    try:
        event = RunCleaned(removed=done.removed, left=done.left)
        add_event(run.folder / STORY, run.story, run.key, event)
    except OSError as error:
        raise JournalError(f"journal {run.folder}: {error.strerror or error}") from error
    return done


def _workers(run: RecordedRun) -> Iterator[tuple[ProcessIdentity, Path]]:
    """Yield the process and the launch file of each worker that may still be there."""
    if not run.of_this_boot or run.began.scratch is None:
        return
    places = ScratchPlaces(Path(run.began.scratch))
    for event in run.events:
        if isinstance(event, WorkerStarted) and event.pid is not None and event.created is not None:
            yield ProcessIdentity(event.pid, event.created), places.launch_file(event.worker)


def _nodes(run: RecordedRun) -> tuple[str, ...]:
    """Return which nodes of a cluster may still have something of the run: none is reached."""
    lease = "it ends what it has by itself when its lease is over"
    nodes = run.outline.nodes.values()
    return tuple(f"node {node.title}: {lease}" for node in nodes if node.ended is None)


def _clean_scratch(run: RecordedRun, scratch: Path) -> Cleaned:
    gone = not os.path.lexists(scratch)
    if is_scratch_place(scratch) and (gone or not_our_scratch(scratch, run.run_id) is None):
        # Git's notes of worktrees stay when the folder has been removed already.
        remove_all(_isolated(run), scratch)
    if gone:
        return Cleaned()
    if (why := remove_scratch(scratch, run.run_id)) is not None:
        return Cleaned(left=(f"{scratch}: {why}",))
    return Cleaned(removed=("socket",))


def _isolated(run: RecordedRun) -> list[str]:
    """Return a directory of each repository of which the run had worktrees."""
    specs = (event.spec for event in run.events if isinstance(event, TaskSubmitted))
    return [spec.cwd for spec in specs if spec.isolation is not None]
