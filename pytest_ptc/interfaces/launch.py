"""The launch file: all that a worker needs to start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from pytest_ptc.interfaces.plain_json import Seconds, from_json, to_json
from pytest_ptc.model.errors import LaunchFileError


class OwnerProcess(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The process that has the run's coordinator or, on a node, that node's supervisor.

    Args:
        pid: Its process id.
        created: When it was started, as `ProcessIdentity` has it; 0 if unknown.
    """

    pid: int
    created: float


class AgentLaunch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a worker makes its agent.

    Args:
        make: The place of the function that makes it, `package.module:function`.
        argv: Its program with arguments; empty for one in Python.
        options: The options of its plan, from its kind's `configure`.
        search_path: Directories to find its module in, after the worker's own.
        name: Its name, as tests and `--ptc-agent` have it.
        secrets: Texts of `argv` to redact everywhere, by the names of the options they are in.
    """

    make: str
    argv: tuple[str, ...] = ()
    options: dict[str, Any] = {}
    search_path: tuple[str, ...] = ()
    name: str = ""
    secrets: dict[str, str] = {}


class LaunchFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The launch file of a worker; its agent gets it, too.

    A third-party agent is made by `make(launch, environ)` and may rely on these fields: `worker`,
    `run_id`, `journal`, `scratch`, `commands`, `start`, `task_list_id`, `claude_config`, and of
    `agent` on `argv`, `options` and `secrets`. The others are internal and may change in any
    release. A file is written and read by the same release, so an unknown or a missing field
    is an error.

    Args:
        worker: The worker's name, unique in its run: `w1`, `w2`, ...
        run_id: The run's id.
        agent: How to make its agent.
        journal: The run's folder in the journal, absolute.
        scratch: The run's private folder, absolute: nobody else can enter it, its path is short
            enough for Unix sockets in it, and it is removed with all in it at the run's end.
        commands: A folder to put before PATH for agents: its `ptc` is the one of this run.
        start: The directory that pytest was started in, absolute.
        task_list_id: The id of the shared list.
        claude_config: Claude Code's configuration directory, which has the list.
        address: The path of the coordinator's Unix socket.
        key: The secret that the worker sends there first.
        clean_list: The program that takes the run's tasks off the shared list when the owner was
            killed; empty for none.
        farewell: The program that the worker becomes when the owner was killed; empty for none.
        owner: The process that made this file, and that removes `scratch` at its end: pytest, or
            on a node its supervisor.
        root: Pytest's root directory; None for a worker without one.
        group: The cgroup to join; None where there is none.
        task_list: The directory of the shared list; None for a worker without one.
        lease: How many seconds the worker may live, from its start on, unless a message `Live`
            says otherwise; None for as long as its line is open.
        environ: Changes to the environment that the host gives it; None removes a variable.
        left_behind: The folder to remove when the owner was killed; None for `scratch`.
    """

    worker: str
    run_id: str
    agent: AgentLaunch
    journal: Path
    scratch: Path
    commands: Path
    start: Path
    task_list_id: str
    claude_config: Path
    address: Path
    key: str
    clean_list: tuple[str, ...] = ()
    farewell: tuple[str, ...] = ()
    owner: OwnerProcess
    root: Path | None = None
    task_list: Path | None = None
    group: Path | None = None
    lease: Seconds | None = None
    environ: dict[str, str | None] = {}
    left_behind: Path | None = None

    def encode(self) -> bytes:
        """Return the file's content."""
        return to_json(self)

    @classmethod
    def read(cls, path: Path) -> LaunchFile:
        """Read a launch file.

        Raises:
            LaunchFileError: It cannot be read, or is not valid; the message has its path.
        """
        try:
            launch: LaunchFile = from_json(path.read_bytes(), cls)
        except OSError as error:
            raise LaunchFileError(f"launch file {path}: {error.strerror or error}") from error
        except ValueError as error:
            raise LaunchFileError(f"launch file {path}: not valid: {error}") from error
        return launch
