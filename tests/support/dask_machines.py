"""A Dask cluster on the machines of a test: its scheduler on one, a worker on each node."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

from tests.support.runs import until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.support.machines import Machine

_PORT = 8786
_REACHES = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)"
#: What a node's machine holds of Dask's own.
DASK_FOLDER = "/tmp/dask"


class DaskCluster:
    """A scheduler and its nodes, each as a person would start it by hand on that machine.

    Args:
        scheduler: The machine of the scheduler.
        nodes: The machines of the nodes.
        threads: How many places each node has.
    """

    def __init__(self, scheduler: Machine, nodes: Sequence[Machine], *, threads: int) -> None:
        self.scheduler = scheduler
        self.nodes = tuple(nodes)
        self.threads = threads
        self._later: list[threading.Timer] = []

    @property
    def address(self) -> str:
        """Return what clients connect to."""
        return f"tcp://{self.scheduler.address}:{_PORT}"

    def start(self) -> None:
        """Start all of it, and wait until the scheduler can be reached."""
        self.start_scheduler()
        for node in self.nodes:
            self.start_node(node)

    def start_scheduler(self) -> None:
        """Start the scheduler, and wait until it can be reached."""
        place = ("--host", self.scheduler.address, "--port", str(_PORT))
        self.scheduler.start(*_DASK, "scheduler", *place, "--no-dashboard", log="dask.log")
        reaches = (sys.executable, "-I", "-c", _REACHES, self.scheduler.address, str(_PORT))
        until(lambda: self.scheduler.run(*reaches).returncode == 0, "the scheduler")

    def start_node(self, node: Machine) -> None:
        """Start a node's Dask worker, and the nanny that starts another where that is lost.

        It has no name: the scheduler refuses one that it takes for alive, and whoever is booted
        again within seconds is refused so.
        """
        node.start(
            *(*_DASK, "worker", self.address, "--host", node.address),
            *("--nthreads", str(self.threads), "--memory-limit", "0", "--no-dashboard"),
            *("--local-directory", DASK_FOLDER),
            log="dask.log",
        )

    def worker_of(self, node: Machine) -> psutil.Process:
        """Return the process on a node that tasks run in; its nanny is its parent."""
        until(lambda: self._workers_of(node), f"Dask's worker on {node.name}")
        (worker,) = self._workers_of(node)
        return worker

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something after so many seconds, unless what it is done to is gone by then."""

        def late() -> None:
            with suppress(psutil.Error, OSError, subprocess.CalledProcessError):
                act()

        timer = threading.Timer(seconds, late)
        self._later.append(timer)
        timer.start()

    def settled(self) -> None:
        """Wait until all has been done that was to be done later."""
        while self._later:
            self._later.pop().join()

    @staticmethod
    def _workers_of(node: Machine) -> list[psutil.Process]:
        found = []
        for process in node.processes("spawn_main"):
            with suppress(psutil.Error):
                parent = process.parent()
                if parent is not None and "dask" in parent.cmdline():
                    found.append(process)
        return found


_DASK = (sys.executable, "-m", "dask")
