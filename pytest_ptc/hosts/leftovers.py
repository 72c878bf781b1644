"""The end of workers and tmux servers that a killed pytest left.

The run's journal names them. Each is verified to be the run's own: a worker by its process identity
and command line, a tmux server by the place, the name and the owner of its socket.
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

#: Seconds that `tmux kill-server` may take.
TMUX_TIMEOUT_S = 10


def end_workers(workers: Iterable[tuple[ProcessIdentity, Path]]) -> list[ProcessIdentity]:
    """Kill workers that outlived their run; return those that survived SIGKILL.

    Args:
        workers: Each worker's process, and its launch file, which is its last argument.
    """
    running = (
        process
        for process, launch_file in workers
        if str(launch_file) in (arguments_of(process.pid) or ())
    )
    return end_trees(running, grace=0.0)


def clean_tmux(socket: str | None, run_id: str) -> Cleaned:
    """End the tmux server of a run, and remove its socket.

    Args:
        socket: The path of its socket; None for a run that had no tmux.
        run_id: The run's id.
    """
    if socket is None or not os.path.lexists(socket):
        return Cleaned()
    path = Path(socket)
    if (why := _ownership_problem(path, run_id)) is not None:
        return Cleaned(left=(f"{path}: {why}",))
    tmux = shutil.which("tmux")
    if tmux is not None:
        command = [tmux, "-S", socket, "kill-server"]
        subprocess.run(command, check=False, capture_output=True, timeout=TMUX_TIMEOUT_S)
    path.unlink(missing_ok=True)
    return Cleaned(removed=("tmux server",))


def _ownership_problem(socket: Path, run_id: str) -> str | None:
    folder, file = socket.parent.lstat(), socket.lstat()
    if socket.name != RunNames(run_id).tmux_socket or not stat.S_ISSOCK(file.st_mode):
        return "is not the run's socket"
    if file.st_uid != os.geteuid() or folder.st_uid != os.geteuid():
        return "belongs to another user"
    if not stat.S_ISDIR(folder.st_mode) or folder.st_mode & 0o022:
        return "its folder is not private to the user"
    return None
