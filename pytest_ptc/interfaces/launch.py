"""The launch file: all that a worker is told when it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from pytest_ptc.interfaces.plain_json import from_json, to_json
from pytest_ptc.model.errors import LaunchFileError


class PytestProcess(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The process of pytest, on its own machine.

    Args:
        pid: Its process id.
        created: When it was started, as `ProcessIdentity` has it; 0 where nobody could tell.
    """

    pid: int
    created: float


class AgentLaunch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a worker comes by its agent.

    Args:
        make: The place of the function that makes it, `package.module:function`.
        argv: Its program with arguments; empty for one in Python.
        options: What its kind's `configure` has taken from the settings.
        search_path: Directories that its module may come from, behind those of the worker.
    """

    make: str
    argv: tuple[str, ...] = ()
    options: dict[str, Any] = {}
    search_path: tuple[str, ...] = ()


class LaunchFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a worker is told when it starts; its agent gets it, too.

    An agent of somebody else's is made by `make(launch, environ)` and may rely on these: `worker`,
    `run_id`, `journal`, `scratch`, `commands`, `start`, `task_list_id`, `claude_config`, `secrets`,
    and of `agent` on `argv` and `options`. The rest is between worker and coordinator, and may
    change with any release. A file is written and read by the same release, so a field more or less
    is an error.

    Args:
        worker: The worker's name, unique in its run: `w1`, `w2`, ...
        run_id: The run's id.
        agent: How it comes by its agent.
        journal: The run's folder in the journal, absolute.
        scratch: The run's private folder, absolute: nobody else can enter it, its path is short
            enough for Unix sockets in it, and it is removed with all in it at the run's end.
        commands: A folder to put before PATH for agents: its `ptc` is the one of this run.
        start: The directory that pytest was started in, absolute.
        task_list_id: The id of the shared list.
        own_list: Whether the list was made for this run, and goes with it.
        claude_config: Claude Code's configuration directory, which has the list.
        secrets: Texts that nothing may show, by the names of what they were found in.
        address: The path of the coordinator's Unix socket.
        key: What the worker has to show there, once; secret.
        farewell: The program that the worker becomes when pytest was killed; empty for none.
        pytest: The process of pytest.
    """

    worker: str
    run_id: str
    agent: AgentLaunch
    journal: Path
    scratch: Path
    commands: Path
    start: Path
    task_list_id: str
    own_list: bool
    claude_config: Path
    secrets: dict[str, str] = {}
    address: Path
    key: str
    farewell: tuple[str, ...] = ()
    pytest: PytestProcess

    def encode(self) -> bytes:
        """Return the file's content."""
        return to_json(self)

    @classmethod
    def read(cls, path: Path) -> LaunchFile:
        """Return what a launch file says.

        Raises:
            LaunchFileError: It cannot be read, or is none; the message names it and says why.
        """
        try:
            launch: LaunchFile = from_json(path.read_bytes(), cls)
        except OSError as error:
            raise LaunchFileError(f"launch file {path}: {error.strerror or error}") from error
        except ValueError as error:
            raise LaunchFileError(f"launch file {path}: is not one: {error}") from error
        return launch
