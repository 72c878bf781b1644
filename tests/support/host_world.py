"""A host with all that it needs, and a look at what it has started."""

from __future__ import annotations

import os
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from pytest_ptc.hosts.process import ProcessHost
from pytest_ptc.hosts.tmux import TmuxHost
from pytest_ptc.interfaces.host import LaunchPlan
from pytest_ptc.system.processes import wait_gone

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_ptc.interfaces.host import WorkerHandle


#: Seconds after which an event that a test waits for counts as missing.
DEADLINE = 15.0

COOKIE = "PTC_TEST_HOST"


def pid_of(worker: WorkerHandle) -> int:
    """Return the process id of a worker that was seen alive."""
    assert worker.identity is not None
    return worker.identity.pid


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until the condition holds, and fail with `what` when it does not in time."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.005)


def _unreaped() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if child.status() == psutil.STATUS_ZOMBIE]


@dataclass
class HostWorld:
    """One kind of host, and what a test needs to put workers into it."""

    kind: str
    folder: Path
    cookie: str = field(default_factory=lambda: uuid.uuid4().hex)
    hosts: list[TmuxHost | ProcessHost] = field(default_factory=list)
    unreaped_before: list[psutil.Process] = field(default_factory=_unreaped)

    def host(self, *, grace: float = 5.0) -> TmuxHost | ProcessHost:
        """Return a new host of this kind; it is closed at the end of the test."""
        host = (
            TmuxHost(f"{self.cookie[:8]}-{len(self.hosts)}", grace=grace)
            if self.kind == "tmux"
            else ProcessHost(grace=grace)
        )
        self.hosts.append(host)
        return host

    def plan(self, worker: str, *argv: str, cwd: Path | None = None) -> LaunchPlan:
        """Return a plan for a worker that runs this program."""
        return LaunchPlan(
            worker=worker,
            argv=argv,
            cwd=cwd or self.folder,
            log=self.folder / f"{worker}.log",
        )

    def shell(self, worker: str, script: str, *arguments: str) -> LaunchPlan:
        """Return a plan for a worker that runs this shell script, with `$1` and so on."""
        return self.plan(worker, "/bin/sh", "-c", script, "sh", *arguments)

    def python(self, worker: str, script: str, *arguments: str) -> LaunchPlan:
        """Return a plan for a worker that runs this Python script."""
        return self.plan(worker, sys.executable, "-IS", "-c", script, *arguments)

    def path(self, name: str) -> Path:
        """Return a path in the test's folder."""
        return self.folder / name

    def wait_for_file(self, name: str) -> str:
        """Wait until a worker has put a file in place, and return what it holds."""
        path = self.path(name)
        until(path.exists, f"a worker writes {name}")
        return path.read_text()

    def has_ended(self, worker: WorkerHandle) -> bool:
        """Tell whether this worker has ended; whoever is its parent may not have reaped it yet."""
        return worker.identity is None or not worker.identity.alive

    def wait_for_end(self, worker: WorkerHandle) -> None:
        """Wait until this worker has ended."""
        if worker.identity is not None:
            assert not wait_gone([worker.identity], DEADLINE), f"{worker.identity} does not end"

    def running(self) -> list[psutil.Process]:
        """Return what was started from this world and still runs."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def running_workers(self) -> list[psutil.Process]:
        """Return what runs without the tmux servers themselves."""
        servers = {
            host._server.pid for host in self.hosts if isinstance(host, TmuxHost) and host._server
        }
        return [process for process in self.running() if process.pid not in servers]

    def sockets(self) -> list[Path]:
        """Return the sockets and locks that tmux has made for this world."""
        folders = {os.environ.get("TMUX_TMPDIR", "/tmp"), "/tmp"}
        return [
            path for folder in folders for path in Path(folder).glob(f"tmux-*/*{self.cookie[:8]}*")
        ]

    def zombies(self) -> list[psutil.Process]:
        """Return children of this process, since the world is there, that nobody has reaped."""
        return [child for child in _unreaped() if child not in self.unreaped_before]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return (
                process.pid != os.getpid()
                and process.environ().get(COOKIE) == self.cookie
                and process.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.Error:
            return False
