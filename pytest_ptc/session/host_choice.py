"""Where the workers of a run live: what was asked for, and what this machine has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.interfaces.names import RunNames
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.session.dask_choice import dask_problem

if TYPE_CHECKING:
    from pytest_ptc.interfaces.host import Host
    from pytest_ptc.model.settings import Settings

_OR_PROCESS = ", or choose --ptc-host=process"


class TmuxLack(NamedTuple):
    """What keeps workers out of tmux on this machine, in words; None where nothing does.

    Args:
        program: What is wrong with the program, said of "tmux": `is not installed; install ...`.
        socket: Why there can be no socket for its server.
    """

    program: str | None
    socket: str | None


class HostChoice(NamedTuple):
    """The host that a run gets.

    Args:
        tmux: Whether it is tmux; else workers are child processes.
        fallback: Why it is not the one that `auto` would rather have.
    """

    tmux: bool
    fallback: str | None = None


def chosen_host(wanted: str, lack: TmuxLack, *, interactive: bool) -> HostChoice:
    """Return which host a run gets. Pure.

    Args:
        wanted: `auto`, `tmux` or `process`.
        lack: What keeps workers out of tmux here.
        interactive: Whether somebody wants the agent's own screen, which tmux alone has.

    Raises:
        ConfigError: What was asked for is not to be had here.
    """
    if wanted == "process":
        return HostChoice(tmux=False)
    if interactive and lack.program is not None:
        raise ConfigError(f"--ptc-interactive needs tmux, which {lack.program}")
    if interactive and lack.socket is not None:
        raise ConfigError(f"--ptc-interactive: {lack.socket}")
    if lack.program is None and lack.socket is None:
        return HostChoice(tmux=True)
    problem = f"tmux {lack.program}" if lack.program is not None else str(lack.socket)
    problem += _OR_PROCESS
    if wanted == "tmux":
        raise ConfigError(f"ptc_host: {problem}")
    return HostChoice(tmux=False, fallback=problem)


def make_host(settings: Settings, run_id: str) -> tuple[Host, str | None]:
    """Return the host of a run, and why it is not the one that `auto` would rather have.

    Nothing is started: what stands in the way of workers is asked before any of them, for one could
    only tell it by not being there.

    Raises:
        ConfigError: What was asked for is not to be had here.
    """
    problem = dask_problem(settings)
    if problem is not None:
        raise ConfigError(problem)
    if settings.host == "process":
        choice = HostChoice(tmux=False)
    else:
        choice = chosen_host(settings.host, _lack(run_id), interactive=settings.interactive)
    if choice.tmux:
        from pytest_ptc.hosts.tmux import TmuxHost  # noqa: PLC0415 - only where it is used

        return TmuxHost(run_id, interactive=settings.interactive), None
    from pytest_ptc.hosts.process import ProcessHost  # noqa: PLC0415 - as above

    return ProcessHost(), choice.fallback


def _lack(run_id: str) -> TmuxLack:
    from pytest_ptc.hosts.tmux import unfit_tmux  # noqa: PLC0415 - as above
    from pytest_ptc.hosts.tmux_socket import socket_problem  # noqa: PLC0415

    unfit = unfit_tmux()
    socket = socket_problem(RunNames(run_id).tmux_socket, os.environ, os.getuid())
    return TmuxLack(program=None if unfit is None else str(unfit), socket=socket)
