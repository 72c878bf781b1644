"""What a killed pytest has left of its hosts, ended from outside.

A journal names it. What is ended is only what can be seen to be the run's: a worker by its identity
and its command line, a tmux server by the place, the name and the owner of its socket.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.interfaces.names import RunNames
from pytest_ptc.model.cleaned import Cleaned
from pytest_ptc.system.machine import arguments_of
from pytest_ptc.system.processes import ProcessIdentity, end_trees

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Seconds that a tmux server may take to hear that it is to end.
TMUX_PATIENCE_S = 10


def end_workers(workers: Iterable[tuple[ProcessIdentity, Path]]) -> list[ProcessIdentity]:
    """Kill workers that did not end with their run, as stopped ones; return what survived.

    Args:
        workers: Each worker's process and launch file, which is the last of its arguments.
    """
    found = (
        process
        for process, launch_file in workers
        if str(launch_file) in (arguments_of(process.pid) or ())
    )
    return end_trees(found, grace=0.0)


def clean_tmux(socket: str | None, run_id: str) -> Cleaned:
    """End the tmux server of a run, and remove its socket.

    Args:
        socket: The path of its socket; None for a run that had no tmux.
        run_id: The run's id.
    """
    if socket is None or not os.path.lexists(socket):
        return Cleaned()
    path = Path(socket)
    if (why := _not_the_runs(path, run_id)) is not None:
        return Cleaned(left=(f"{path}: {why}",))
    tmux = shutil.which("tmux")
    if tmux is not None:
        ending = [tmux, "-S", socket, "kill-server"]
        subprocess.run(ending, check=False, capture_output=True, timeout=TMUX_PATIENCE_S)
    path.unlink(missing_ok=True)
    return Cleaned(removed=("tmux server",))


def _not_the_runs(socket: Path, run_id: str) -> str | None:
    folder, there = socket.parent.lstat(), socket.lstat()
    if socket.name != RunNames(run_id).tmux_socket or not stat.S_ISSOCK(there.st_mode):
        return "is not the socket of the run"
    if there.st_uid != os.geteuid() or folder.st_uid != os.geteuid():
        return "belongs to another user"
    if not stat.S_ISDIR(folder.st_mode) or folder.st_mode & 0o022:
        return "is not in a folder of tmux"
    return None
