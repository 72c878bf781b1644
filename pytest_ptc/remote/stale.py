"""What nodes have left that nobody could tidy: a machine that lost its power, or was killed whole.

A node notes in its folder which process has it. Another one that begins on the same machine, as the
same user, removes the folders whose process is gone, each with the list that it names and with the
socket of its tmux server.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

import msgspec

from pytest_ptc.hosts.leftovers import clean_tmux
from pytest_ptc.hosts.tmux_socket import socket_place
from pytest_ptc.interfaces.names import RunNames
from pytest_ptc.system.machine import boot_id, process_space
from pytest_ptc.system.processes import ProcessIdentity
from pytest_ptc.system.regular_files import read_regular
from pytest_ptc.system.scratch import SCRATCH_PREFIX, not_our_scratch, remove_scratch

#: The file in a node's folder that says whose it is.
OWNER = "node-owner"
_MAX_BYTES = 10_000


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Whose a folder is.

    Args:
        run_id: The run's id on that node.
        pid: The process that has it.
        created: When that was created, as `ProcessIdentity` has it.
        host: The machine's name.
        boot: The boot of the machine; None where nothing tells it.
        space: The processes that it sees; None as above.
        task_list: The directory of the node's list.
    """

    run_id: str
    pid: int
    created: float
    host: str
    boot: str | None
    space: str | None
    task_list: str

    @property
    def is_gone(self) -> bool:
        """Tell whether the process is gone, by what can be told for sure.

        The folder may be on a disk of several machines, or of several containers of one.
        """
        if self.host != platform.node() or self.boot is None:
            return False
        if self.boot != boot_id():
            return True
        alive = ProcessIdentity(self.pid, self.created).alive
        return self.space == process_space() and not alive


def note_owner(folder: Path, owner: Owner) -> None:
    """Note whose a node's folder is.

    Raises:
        OSError: It cannot be written.
    """
    (folder / OWNER).write_bytes(msgspec.json.encode(owner))


def remove_stale() -> list[Path]:
    """Remove what nodes of this user have left on this machine, and return the folders."""
    removed = []
    for mark in Path(tempfile.gettempdir()).glob(f"{SCRATCH_PREFIX}*/{OWNER}"):
        folder = mark.parent
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            owner = msgspec.json.decode(read_regular(mark, _MAX_BYTES), type=Owner)
            # The mark in it is of the same run, and the folder private to this user.
            if not owner.is_gone or not_our_scratch(folder, owner.run_id) is not None:
                continue
            names = RunNames(owner.run_id)
            task_list = Path(owner.task_list)
            if task_list.name == names.task_list:
                shutil.rmtree(task_list, ignore_errors=True)
            with contextlib.suppress(subprocess.SubprocessError):
                socket = socket_place(names.tmux_socket, os.environ, os.getuid())
                clean_tmux(socket, owner.run_id)
            if remove_scratch(folder, owner.run_id) is None:
                removed.append(folder)
    return removed
