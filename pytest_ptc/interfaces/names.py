"""The names and paths of what a run makes outside of its journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunNames:
    """Names that contain a run's id, which identify what it left behind.

    The scratch folder is not among them: it has a short name, and a file with the run's id.
    """

    run_id: str

    @property
    def task_list(self) -> str:
        """Return the id of the shared list, unless the user has named another."""
        return f"ptc-{self.run_id}"

    @property
    def tmux_socket(self) -> str:
        """Return the name of the socket of its tmux server."""
        return f"ptc-{self.run_id}"

    def owner(self, worker: str) -> str:
        """Return the owner that the shared list shows for a worker's task."""
        return f"ptc-{self.run_id}-{worker}"


@dataclass(frozen=True, slots=True)
class ScratchPlaces:
    """The paths in a run's scratch folder, which is private and removed at the run's end."""

    folder: Path

    @property
    def coordinator_socket(self) -> Path:
        """Return the Unix socket that workers connect to."""
        return self.folder / "coordinator"

    def client_words(self, worker: str) -> Path:
        """Return the script with the arguments of Claude Code's program, which may be secret."""
        return self.folder / f"claude-{worker}.sh"

    def launch_file(self, worker: str) -> Path:
        """Return the file that a worker is started with, by which it is known, too.

        It is not in the journal: a command may have a secret among its arguments.
        """
        return self.folder / "workers" / worker / "launch.json"

    def hook_socket(self, worker: str) -> Path:
        """Return the Unix socket for the hooks of a worker's Claude Code."""
        return self.folder / f"hooks-{worker}"

    def record_socket(self, worker: str) -> Path:
        """Return a worker's Unix socket for `ptc record`."""
        return self.folder / f"record-{worker}"
