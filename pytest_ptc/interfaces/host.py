"""The protocol of hosts, which start and end workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ptc.system.processes import ProcessIdentity


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchPlan:
    """How to start one worker: a program and its arguments, never a shell command line.

    Args:
        worker: The worker's name, unique in its run: `w1`, `w2`, ...
        argv: The program and its arguments.
        cwd: The directory it starts in.
        log: The file for the worker's output, for a host without a terminal.
    """

    worker: str
    argv: tuple[str, ...]
    cwd: Path
    log: Path


#: Seconds within which `WorkerHandle.kill` must have returned; then the run goes on without it.
KILL_PATIENCE_S = 20.0


class WorkerHandle(Protocol):
    """A worker that a host has started, until the coordinator has had it killed.

    The coordinator waits for `ended` in its event loop, from the start on. It calls `kill` once for
    every worker, however its end was noticed (the process, the connection, a deadline), and
    `lines` after that; both in the thread in which it calls the host.
    """

    @property
    def identity(self) -> ProcessIdentity | None:
        """Return the worker's process, if it is on this machine and was seen alive; else None.

        The journal records it, so that `ptc clean` can end a worker that a killed pytest left. On
        Linux only this process, or one that descends from it, is taken for the worker.
        """

    async def ended(self) -> None:
        """Return when the worker's process has ended; never, if the host cannot notice that.

        Then the end of the worker's connection counts. Cancelled when the run is over.
        """

    def kill(self) -> str:
        """End the worker by force with all that it started, and free its name.

        It returns within `KILL_PATIENCE_S`. Of a worker that has ended, it ends what is left. A
        second call returns the same.

        Returns:
            How the worker ended, such as `exit status 3` or `killed by SIGKILL`.

        Raises:
            HostError: The worker survives, or it is unknown how it ended.
        """

    def lines(self) -> str:
        """Return the last lines that the worker printed, without control sequences.

        Raises:
            HostError: They cannot be read.
        """


class Host(Protocol):
    """Somewhere workers can live: windows of a tmux session, child processes.

    The coordinator calls `start` and its workers' `kill` and `lines` in one thread of its own, one
    after the other; `close` comes from any thread, also while another call is waiting.
    """

    @property
    def name(self) -> str:
        """Return the host's name, as the option `--ptc-host` has it."""

    @property
    def attach(self) -> str | None:
        """Return the command with which a person can watch, if there is one."""

    @property
    def tmux_socket(self) -> str | None:
        """Return the socket of the tmux server that workers live in; None for another host.

        `ptc watch` shows it, and `ptc clean` ends the server that a killed pytest left.
        """

    @property
    def farewell(self) -> tuple[str, ...]:
        """Return the program that a worker becomes when pytest was killed; empty for none.

        It ends what otherwise only the host could end, such as its own tmux server.
        """

    def start(self, plan: LaunchPlan) -> WorkerHandle:
        """Start a worker.

        Raises:
            HostError: It cannot be started, or its name is that of a worker not killed yet.
        """

    def close(self) -> None:
        """End everything that this host started, and remove what it made.

        It does not raise, and may be called again, also after Ctrl-C during the first call.
        """
