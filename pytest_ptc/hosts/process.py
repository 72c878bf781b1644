"""Workers as child processes, for machines without tmux; their output goes to their logs."""

from __future__ import annotations

import os
import subprocess
from threading import RLock
from typing import TYPE_CHECKING

from pytest_ptc.hosts.ends import process_ended
from pytest_ptc.hosts.last_lines import last_lines
from pytest_ptc.hosts.launch_check import check_plan
from pytest_ptc.interfaces.environment import worker_environment
from pytest_ptc.model.errors import HostError
from pytest_ptc.system import own_files
from pytest_ptc.system.processes import (
    ProcessIdentity,
    describe_exit,
    end_left_behind,
    end_tree,
    end_trees,
    wait_gone,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_ptc.interfaces.host import LaunchPlan

#: Seconds that a process may take to end after SIGKILL.
EXIT_TIMEOUT_S = 2.0

#: Bytes at the end of a log that are read for its last lines.
_TAIL_BYTES = 64 * 1024


class ProcessWorker:
    """A worker that is a child process.

    Args:
        name: Its name.
        popen: The child, not waited for yet.
        log: The file of its output.
        log_start: The size of the log at its start, in bytes; an earlier worker of its name wrote
            those.
        lock: Held while the child is ended.
        free: Called when its name is free again.
    """

    def __init__(
        self,
        name: str,
        popen: subprocess.Popen[bytes],
        *,
        log: Path,
        log_start: int,
        lock: RLock,
        free: Callable[[], object],
    ) -> None:
        # A child that has already ended may be missing from the process table. Then there is
        # nothing to end, and its identity matches no process.
        self.identity = ProcessIdentity.of(popen.pid) or ProcessIdentity(popen.pid, 0.0)
        self._name = name
        self._popen = popen
        self._log = log
        self._log_start = log_start
        self._lock = lock
        self._free = free
        self._how: str | None = None
        self._last_lines = ""

    async def ended(self) -> None:
        """Return when it has ended; see `WorkerHandle`."""
        await process_ended(self.identity)

    def kill(self) -> str:
        """End it with all that it started, and reap it; see `WorkerHandle`."""
        with self._lock:
            if self._how is None:
                end_tree(self.identity, grace=0.0)
                if wait_gone([self.identity], EXIT_TIMEOUT_S):
                    raise HostError(
                        "it survived SIGKILL", host="process", worker=self._name, command="kill"
                    )
                # Before it is reaped: until then no other process can have its pid, or its session
                # id.
                end_left_behind(self.identity)
                # From now on, a later worker of its name may write to the same log.
                self._last_lines = self._read_last_lines()
                self._how = describe_exit(self._popen.wait())
                self._free()
            return self._how

    def lines(self) -> str:
        """Return the last lines of its log; see `WorkerHandle`."""
        return self._read_last_lines() if self._how is None else self._last_lines

    def _read_last_lines(self) -> str:
        # A first line that is cut off is left out.
        try:
            end = os.lstat(self._log).st_size
            block = own_files.read_end(self._log, min(_TAIL_BYTES, max(0, end - self._log_start)))
            start = end - len(block)
        except OSError as error:
            return f"(the log cannot be read: {error})"
        if start > self._log_start:
            block = block.partition(b"\n")[2] or block
        return last_lines(block.decode(errors="replace"))

    def reaped(self) -> bool:
        """Reap it; return False if its other threads still run after `EXIT_TIMEOUT_S`."""
        try:
            self._popen.wait(EXIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return False
        return True


class ProcessHost:
    """Runs each worker as a child process in a session of its own.

    A worker's environment is this process's as it was when the host was made.

    Args:
        grace: Seconds that workers get between SIGTERM and SIGKILL when the host is closed.
    """

    name = "process"
    attach = None
    tmux_socket = None

    def __init__(self, *, grace: float = 2.0) -> None:
        self._grace = grace
        self._env = worker_environment(os.environ)
        self._children: dict[str, ProcessWorker] = {}
        self._closed = False
        self._lock = RLock()
        #: Errors of `close`, one sentence each.
        self.problems: list[str] = []

    def __repr__(self) -> str:
        return f"<ProcessHost {'closed' if self._closed else sorted(self._children)}>"

    @property
    def farewell(self) -> tuple[str, ...]:
        """Return an empty tuple: this host leaves nothing behind."""
        return ()

    def start(self, plan: LaunchPlan) -> ProcessWorker:
        """Start a worker.

        Raises:
            HostError: The host is closed, the name is taken, or the program cannot be started.
        """
        with self._lock:
            if self._closed:
                raise self._error("the host is closed", plan)
            check_plan(plan, host=self.name, taken=self._children, env=self._env)
            try:
                child = self._start(plan)
            except (OSError, ValueError) as error:
                raise self._error(str(error), plan) from error
            self._children[plan.worker] = child
            return child

    def close(self) -> None:
        """End every worker with all that it started, and reap it; may be called again."""
        self._closed = True
        with self._lock:
            try:
                self._end_children()
            except Exception as error:  # noqa: BLE001 - `close` must not raise
                self.problems.append(f"ending workers: {error!r}")

    def _end_children(self) -> None:
        workers = [child.identity for child in self._children.values()]
        survivors = end_trees(workers, self._grace, roots_first=True)
        self.problems += [f"process {process.pid} survived SIGKILL" for process in survivors]
        for child in self._children.values():
            # A process whose main thread has ended looks dead, but its other threads delay reaping.
            if child.identity not in survivors:
                child.reaped()
        self._children = {
            worker: child
            for worker, child in self._children.items()
            if child.identity in survivors or not child.reaped()
        }

    def _start(self, plan: LaunchPlan) -> ProcessWorker:
        log = own_files.open_for_append(plan.log)
        try:
            log_start = os.fstat(log).st_size
            popen = subprocess.Popen(
                plan.argv,
                cwd=plan.cwd,
                env={**self._env, "PWD": str(plan.cwd)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal must reach pytest only, which then ends its workers in
                # order.
                start_new_session=True,
            )
        finally:
            os.close(log)
        return ProcessWorker(
            plan.worker,
            popen,
            log=plan.log,
            log_start=log_start,
            lock=self._lock,
            free=lambda: self._children.pop(plan.worker, None),
        )

    def _error(self, problem: str, plan: LaunchPlan) -> HostError:
        return HostError(problem, host=self.name, worker=plan.worker, command="start")
