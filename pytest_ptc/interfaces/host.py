"""What the coordinator asks of a host: to start workers and to end them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Remains:
    """What is left of a worker that ended: how it ended, and its last lines."""

    ended: str
    tail: str = ""


class Host(Protocol):
    """Somewhere workers can live: windows of a tmux session, child processes.

    Every method may raise HostError, except `close`, which must not raise.
    """

    @property
    def name(self) -> str:
        """Return the host's name, as the option `--ptc-host` has it."""

    @property
    def attach(self) -> str | None:
        """Return the command with which a person can watch, if there is one."""

    @property
    def farewell(self) -> tuple[str, ...]:
        """Return the program that a worker becomes when pytest was killed; empty for none.

        It ends, from inside, what only the host could have ended.
        """

    def launch(self, plan: LaunchPlan) -> int:
        """Start a worker and return its process id."""

    def remains(self, worker: str) -> Remains:
        """Return what is left of a worker that ended, and free its place."""

    def tail(self, worker: str) -> str:
        """Return the last lines of a live worker."""

    def close(self) -> None:
        """End everything this host started and remove what it made; may be called again."""
