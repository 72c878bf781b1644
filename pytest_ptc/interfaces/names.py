"""What a run calls the things that it makes outside of its journal, and where it puts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunNames:
    """Names that are made of a run's id, by which all that it left can be told to be its own.

    Its scratch folder is none of them: that has a short name, and the run's id in it.
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
    """What is where in a run's scratch folder, which is private and goes with the run."""

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
        """Return the Unix socket on which a worker hears the hooks of its Claude Code."""
        return self.folder / f"hooks-{worker}"

    def record_socket(self, worker: str) -> Path:
        """Return the Unix socket on which a worker hears `ptc record`."""
        return self.folder / f"record-{worker}"
