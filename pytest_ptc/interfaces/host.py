"""What the coordinator asks of a host: to start workers and to end them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ptc.system.processes import ProcessIdentity


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchPlan:
    """How to start one worker: a program and its arguments, never a line for a shell.

    Args:
        worker: The worker's name, unique in its run: `w1`, `w2`, ...
        argv: The program and its arguments.
        cwd: The directory it starts in.
        log: Where a host that has no screen keeps what the worker prints.
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
    every worker, whatever told it of the worker's end (the process, the line, a deadline), and
    `lines` after that; both in the thread in which it calls the host.
    """

    @property
    def identity(self) -> ProcessIdentity | None:
        """Return the worker's process, where it is one of this machine, and was seen alive.

        It is put into the journal, so that `ptc clean` ends a worker that a killed pytest left.
        """

    async def ended(self) -> None:
        """Return when the worker's process has ended; never, where the host cannot tell.

        Then the end of the worker's line tells. Cancelled when the run is over.
        """

    def kill(self) -> str:
        """End the worker by force with all that it started, and free its place.

        Done within `KILL_PATIENCE_S`. A worker that has ended is not killed, but what it left is.
        Called again, it says the same.

        Returns:
            How the worker ended, as `exit status 3` or `killed by SIGKILL`.

        Raises:
            HostError: The worker survives, or nobody can tell how it ended.
        """

    def lines(self) -> str:
        """Return the last lines that the worker printed, without what only a terminal understands.

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

        It ends, from inside, what only the host could have ended.
        """

    def start(self, plan: LaunchPlan) -> WorkerHandle:
        """Start a worker.

        Raises:
            HostError: It cannot be started, or its name is that of a worker not killed yet.
        """

    def close(self) -> None:
        """End everything this host started and remove what it made.

        Does not raise, and may be called again, also after Ctrl-C in it.
        """
