"""What a killed pytest has left on its shared list, removed from outside."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from pytest_ptc.interfaces.names import RunNames
from pytest_ptc.model.cleaned import Cleaned
from pytest_ptc.tasklist.store import TaskListStore

if TYPE_CHECKING:
    from pathlib import Path


def clean_list(path: Path, run_id: str, *, own: bool) -> Cleaned:
    """Take a run's tasks off a list, and remove the list if it was made for the run.

    What somebody else put on such a list keeps it.

    Args:
        path: The list's directory, as `TaskListStore.path` had it.
        run_id: The run's id.
        own: Whether the run's journal says that the list was made for it.

    Raises:
        TaskListError: The list cannot be written.
    """
    try:
        seen = path.lstat()
    except OSError:
        return Cleaned()
    if path.parent.name != "tasks" or not stat.S_ISDIR(seen.st_mode):
        return Cleaned(left=(f"{path}: is not a task list",))
    if seen.st_uid != os.geteuid():
        return Cleaned(left=(f"{path}: belongs to another user",))
    # A list that was made for a run is named after it.
    named = path.name == RunNames(run_id).task_list
    store = TaskListStore(path.parent.parent, path.name, run_id=run_id, own=own and named)
    count = store.withdraw_run()
    return Cleaned(removed=(f"{count} task{'s' * (count != 1)}",) if count else ())
