"""What a run has on one node, beside its workers: folders, a list, a host, agents, directories.

All of it is the node's own, and goes when the run does. The list holds the task in hand alone, so
that Claude Code finds it under the id that the shared list of pytest's machine has for it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ptc.agents.registry import launch_of
from pytest_ptc.agents.worker_python import worker_python
from pytest_ptc.interfaces.agent_kind import AgentRequest
from pytest_ptc.interfaces.environment import changed
from pytest_ptc.interfaces.launch import LaunchFile, OwnerProcess
from pytest_ptc.interfaces.names import RunNames, ScratchPlaces
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.remote.node_agents import NodeAgents
from pytest_ptc.remote.stale import Owner, note_owner
from pytest_ptc.system.commands import make_commands
from pytest_ptc.system.machine import boot_id, process_space
from pytest_ptc.system.processes import ProcessIdentity
from pytest_ptc.system.scratch import make_scratch, remove_scratch
from pytest_ptc.tasklist.directory import config_dir
from pytest_ptc.tasklist.store import RUN_KEY, TaskListStore
from pytest_ptc.tasklist.task_files import write_task
from pytest_ptc.tasklist.task_format import TaskRecord, file_name
from pytest_ptc.text.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_ptc.interfaces.host import Host
    from pytest_ptc.journal.event import Event
    from pytest_ptc.model.settings import Settings
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.remote.frame_kinds import RunSetup
    from pytest_ptc.remote.paths import PathMap


#: The settings that name programs.
_WITH_PATHS = ("command", "acp_command", "claude_code", "worker_python")


class NodeJournal:
    """The folder of a run on a node; implements `CrewJournal`.

    The story is told on pytest's machine alone: what happens here, its node says in frames.

    Args:
        run_id: The run's id on this node, which marks the processes of its workers.
        folder: The folder; it is made.
        tell: Takes every event.
    """

    def __init__(self, run_id: str, folder: Path, tell: Callable[[Event], None]) -> None:
        self.run_id = run_id
        self.folder = folder
        self._tell = tell
        (folder / "attempts").mkdir(mode=0o700, parents=True)
        (folder / "workers").mkdir(mode=0o700)

    def worker_folder(self, worker: str) -> Path:
        """Return the folder for a worker's output, made where it is not there yet."""
        folder = self.folder / "workers" / worker
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def append(self, event: Event) -> None:
        """Tell of an event."""
        self._tell(event)

    def attempt_folder(self, attempt: str) -> Path:
        """Make the folder of an attempt that was given to a worker of this node."""
        folder = self.folder / "attempts" / attempt
        folder.mkdir(mode=0o700)
        return folder


@dataclass(frozen=True, kw_only=True, slots=True)
class NodePlace:
    """What a run has on this node.

    Args:
        setup: What pytest's machine has said of the run.
        run_id: The run's id on this node.
        base: A private folder with a short path; all that is made here lies in it.
        scratch: The folder in it for sockets and launch files, which agents may not look at.
        journal: The folder of its workers and attempts.
        host: Where its workers live.
        task_list: The node's own list.
        commands: The folder in which `ptc` is that of this run.
    """

    setup: RunSetup
    settings: Settings
    run_id: str
    base: Path
    scratch: Path
    journal: NodeJournal
    host: Host
    task_list: TaskListStore
    commands: Path

    @classmethod
    def made(
        cls,
        setup: RunSetup,
        settings: Settings,
        *,
        run_id: str,
        host: Host,
        tell: Callable[[Event], None],
    ) -> NodePlace:
        """Make it; of what cannot be made, nothing is left.

        Raises:
            PtcError: Something cannot be made here.
            OSError: As above.
        """
        with contextlib.ExitStack() as undo:
            base = make_scratch(run_id)
            undo.callback(shutil.rmtree, base, ignore_errors=True)
            scratch = base / "s"
            scratch.mkdir(mode=0o700)
            journal = NodeJournal(run_id, base / "runs" / run_id, tell)
            task_list = TaskListStore(
                config_dir(os.environ), RunNames(run_id).task_list, run_id=run_id, own=True
            )
            task_list.open()
            undo.callback(shutil.rmtree, task_list.path, ignore_errors=True)
            note_owner(base, _ourselves(run_id, task_list.path))
            commands = journal.folder / "bin"
            make_commands(commands, sys.executable)
            undo.pop_all()
        return cls(
            setup=setup,
            settings=settings,
            run_id=run_id,
            base=base,
            scratch=scratch,
            journal=journal,
            host=host,
            task_list=task_list,
            commands=commands,
        )

    def here(self, paths: PathMap, path: str) -> str:
        """Return the directory that stands here for one of pytest's machine.

        Raises:
            ConfigError: There is none.
        """
        if not self.setup.ships:
            if not Path(path).is_dir():
                raise ConfigError(
                    f"{path} is not on node {platform.node()}; share its disk, or leave out "
                    "ptc_dask_code=shared"
                )
            return path
        place = paths.place(path)
        if place is None:
            raise ConfigError(f"{path} was not sent to node {platform.node()}")
        if not Path(place).is_dir():
            raise ConfigError(
                f"{path} was not sent to node {platform.node()}: git ignores it, or it is empty"
            )
        return place

    def agents(self, paths: PathMap) -> NodeAgents:
        """Choose the run's own agent here; programs may be run for that.

        Raises:
            ConfigError: It cannot be used here.
        """
        root = Path(self.here(paths, self.setup.root))
        start = Path(self._start(paths))
        environ = changed(os.environ, self._environ(paths))
        search_path = tuple(
            place
            for entry in self.setup.search_path
            if (place := paths.place(entry) if self.setup.ships else entry) is not None
        )
        # What a user has named with its path on pytest's machine.
        said: dict[str, Any] = {
            name: paths.to_node(getattr(self.settings, name)) for name in _WITH_PATHS
        }
        settings = self.settings._replace(**said)
        named = settings.worker_python or sys.executable
        request = AgentRequest(
            settings=settings,
            rootpath=root,
            start=start,
            environ=environ,
            claude_config=config_dir(environ),
            python=worker_python(named, root, start, environ, search_path),
        )
        return NodeAgents(request, self.setup.kinds)

    def launch_files(
        self, paths: PathMap, agents: NodeAgents, lease_left: Callable[[], float]
    ) -> Callable[[str, str], LaunchFile]:
        """Return what makes a worker's launch file from its name and key.

        Args:
            paths: The paths of directories that have been sent.
            agents: The agents.
            lease_left: Returns how many seconds the node's lease goes on.
        """
        root = Path(self.here(paths, self.setup.root))
        start = Path(self._start(paths))
        environ = self._environ(paths)
        ourselves = ProcessIdentity.of(os.getpid())
        program = agents.own.python.program
        clean_list = (program, "-m", "pytest_ptc.tasklist", str(self.task_list.path), self.run_id)

        def launch_file(worker: str, key: str) -> LaunchFile:
            return LaunchFile(
                worker=worker,
                run_id=self.run_id,
                agent=launch_of(agents.own),
                journal=self.journal.folder,
                scratch=self.scratch,
                commands=self.commands,
                start=start,
                task_list_id=RunNames(self.run_id).task_list,
                claude_config=config_dir(changed(os.environ, environ)),
                address=ScratchPlaces(self.scratch).coordinator_socket,
                key=key,
                clean_list=(*clean_list, "own"),
                farewell=self.host.farewell,
                root=root,
                task_list=self.task_list.path,
                owner=OwnerProcess(
                    pid=os.getpid(), created=ourselves.created if ourselves is not None else 0.0
                ),
                left_behind=self.base,
                lease=lease_left(),
                environ=environ,
            )

        return launch_file

    def list_task(self, attempt: str, worker: str, spec: TaskSpec) -> None:
        """Put the task of an attempt on the node's list, claimed by its worker.

        Raises:
            OSError: It cannot be written.
        """
        task_id = attempt.rpartition(".")[0]
        record = TaskRecord(
            id=task_id,
            subject=spec.nodeid,
            description=Redactor({**os.environ, **spec.env}).text(spec.prompt),
            metadata={"nodeid": spec.nodeid, RUN_KEY: self.run_id},
        )
        owner = RunNames(self.run_id).owner(worker)
        write_task(self.task_list.path / file_name(task_id), record.claimed(owner))

    def unlist_task(self, attempt: str) -> None:
        """Take the task of an attempt off the node's list."""
        task_id = attempt.rpartition(".")[0]
        (self.task_list.path / file_name(task_id)).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove all that was made here. Its workers have ended."""
        shutil.rmtree(self.task_list.path, ignore_errors=True)
        remove_scratch(self.base, self.run_id)

    def _environ(self, paths: PathMap) -> dict[str, str | None]:
        """Return the changes to the workers' environment, with this machine's paths."""
        changes: dict[str, str | None] = paths.to_node_json(self.setup.environ)
        return changes

    def _start(self, paths: PathMap) -> str:
        """Return where workers take relative entries of search paths from."""
        try:
            return self.here(paths, self.setup.start)
        except ConfigError:
            # Pytest was started outside of what was sent.
            return self.here(paths, self.setup.root)


def _ourselves(run_id: str, task_list: Path) -> Owner:
    ourselves = ProcessIdentity.of(os.getpid())
    return Owner(
        run_id=run_id,
        pid=os.getpid(),
        created=0.0 if ourselves is None else ourselves.created,
        host=platform.node(),
        boot=boot_id(),
        space=process_space(),
        task_list=str(task_list),
    )
