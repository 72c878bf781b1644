"""Where a run's workers live on a node: in tmux, where that is there; else child processes."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

from pytest_ptc.hosts.process import ProcessHost
from pytest_ptc.hosts.tmux_socket import socket_problem
from pytest_ptc.interfaces.names import RunNames
from pytest_ptc.model.errors import ConfigError

if TYPE_CHECKING:
    from pytest_ptc.interfaces.host import Host


def make_node_host(wanted: str, run_id: str) -> Host:
    """Return the host of a run's workers here; nothing is started.

    Args:
        wanted: `auto`, `tmux` or `process`.
        run_id: The run's id on this node.

    Raises:
        ConfigError: What was asked for is not to be had here.
    """
    if wanted == "process":
        return ProcessHost()
    from pytest_ptc.hosts.tmux import TmuxHost, unfit_tmux  # noqa: PLC0415 - only where it is used

    unfit = unfit_tmux()
    problem = f"tmux {unfit}" if unfit is not None else None
    problem = problem or socket_problem(RunNames(run_id).tmux_socket, os.environ, os.getuid())
    if problem is None:
        return TmuxHost(run_id)
    if wanted == "tmux":
        raise ConfigError(f"node {platform.node()}: {problem}, or set ptc_dask_node_host=process")
    return ProcessHost()
