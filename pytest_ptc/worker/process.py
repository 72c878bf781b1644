"""The process that a host starts, from its launch file to its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.interfaces.environment import anchored, changed
from pytest_ptc.interfaces.launch import LaunchFile
from pytest_ptc.model.errors import LaunchFileError
from pytest_ptc.system.control_groups import join_group
from pytest_ptc.system.garbage import settle_in
from pytest_ptc.system.processes import ProcessIdentity, wait_gone
from pytest_ptc.system.scratch import remove_scratch
from pytest_ptc.system.strays import adopt_orphans, forbid_inspection
from pytest_ptc.text.redaction import Redactor
from pytest_ptc.worker.agents import WorkerAgents
from pytest_ptc.worker.terminal import without_signal_keys
from pytest_ptc.worker.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Sequence


#: Seconds that a killed owner may take to end after its connection was closed.
OWNER_EXIT_TIMEOUT_S = 5.0
#: Seconds that the shared list of a killed owner may take to be cleaned: it may be locked.
CLEAN_LIST_TIMEOUT_S = 30.0


def main(argv: Sequence[str] | None = None) -> int:
    """Be the worker that the launch file named by the only argument describes."""
    (launch_file,) = sys.argv[1:] if argv is None else argv
    without_signal_keys(sys.stdin.fileno())
    try:
        launch = LaunchFile.read(Path(launch_file))
    except LaunchFileError as error:
        # The last of the lines that the coordinator shows of a worker that ended.
        print(f"pytest-ptc worker: {error}", file=sys.stderr)  # noqa: T201
        return 2
    # It has the worker's key, and nobody reads it again.
    Path(launch_file).unlink(missing_ok=True)
    forbid_inspection()
    if launch.group is not None:
        join_group(launch.group)
    # A worker does not run in the project's directory, and its agents run in several.
    environ = anchored(changed(os.environ, launch.environ), str(launch.start))
    os.environ.clear()
    os.environ.update(environ)
    redactor = Redactor(os.environ)
    adopt_orphans()
    worker = Worker(launch, agents=WorkerAgents.of_process(launch, redactor), redactor=redactor)
    settle_in()
    orphan = asyncio.run(worker.live())
    # The connection ends a moment before its owner does. One that is alive cleans up itself: on a
    # node, it may only have hung up on this worker.
    owner = ProcessIdentity(launch.owner.pid, launch.owner.created)
    if orphan and not wait_gone([owner], OWNER_EXIT_TIMEOUT_S):
        _clean_up(launch)
    return 0


def _clean_up(launch: LaunchFile) -> None:
    """Remove what a killed owner would have removed at the end of its run.

    The owner is pytest, or the process that has a node's supervisor: the first of its workers to
    come here removes the folder that they share, and all of them have lost the same owner.
    """
    remove_scratch(launch.left_behind or launch.scratch, launch.run_id)
    if launch.clean_list:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(launch.clean_list, check=False, timeout=CLEAN_LIST_TIMEOUT_S)
    if launch.farewell:
        os.execv(launch.farewell[0], launch.farewell)
