"""Workers as child processes, for machines without tmux; what they print goes to their log."""

from __future__ import annotations

import contextlib
import os
import subprocess
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING

from pytest_ptc.hosts.last_lines import last_lines
from pytest_ptc.hosts.launch_check import check_plan
from pytest_ptc.interfaces.environment import worker_environment
from pytest_ptc.interfaces.host import Remains
from pytest_ptc.model.errors import HostError
from pytest_ptc.system import own_files
from pytest_ptc.system.processes import (
    ProcessIdentity,
    describe_exit,
    end_left_behind,
    end_trees,
    wait_gone,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ptc.interfaces.host import LaunchPlan

#: Seconds that `remains` waits for a process that its caller has seen end.
PATIENCE = 2.0

#: How much of a log's end is read for its last lines, in bytes.
_WINDOW = 64 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class _Child:
    popen: subprocess.Popen[bytes]
    identity: ProcessIdentity
    log: Path
    log_start: int


class ProcessHost:
    """Runs each worker as a child process in a session of its own.

    A worker's environment is this process's as it was when the host was made.

    Args:
        grace: Seconds that workers get between SIGTERM and SIGKILL when the host is closed.
    """

    name = "process"
    attach = None

    def __init__(self, *, grace: float = 2.0) -> None:
        self._grace = grace
        self._env = worker_environment(os.environ)
        self._children: dict[str, _Child] = {}
        self._closed = False
        self._lock = RLock()
        #: What `close` could not do, one sentence each.
        self.problems: list[str] = []

    def __repr__(self) -> str:
        return f"<ProcessHost {'closed' if self._closed else sorted(self._children)}>"

    @property
    def farewell(self) -> tuple[str, ...]:
        """Return nothing: a worker that ends leaves nothing of the host."""
        return ()

    def launch(self, plan: LaunchPlan) -> int:
        """Start a worker and return its process id.

        Raises:
            HostError: The host is closed, the name is taken, or the program cannot be started.
        """
        with self._lock:
            if self._closed:
                raise self._error("the host is closed", plan.worker, "launch")
            check_plan(plan, host=self.name, taken=self._children, env=self._env)
            try:
                child = self._start(plan)
            except (OSError, ValueError) as error:
                raise self._error(str(error), plan.worker, "launch") from error
            self._children[plan.worker] = child
            return child.identity.pid

    def remains(self, worker: str) -> Remains:
        """Return what is left of a worker that ended, and free its place.

        Raises:
            HostError: There is no such worker, or it has not ended.
        """
        with self._lock:
            child = self._child(worker, "remains")
            if wait_gone([child.identity], PATIENCE):
                raise self._error("it has not ended", worker, "remains")
            # Before it is reaped: until then its pid, and so its session, is surely its own.
            end_left_behind(child.identity)
            remains = Remains(ended=describe_exit(child.popen.wait()), tail=_tail_of(child))
            del self._children[worker]
            return remains

    def tail(self, worker: str) -> str:
        """Return the last lines that a worker printed.

        Raises:
            HostError: There is no such worker.
        """
        return _tail_of(self._child(worker, "tail"))

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
            # One whose first thread has ended looks dead, and cannot be reaped before the others.
            if child.identity not in survivors:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.popen.wait(PATIENCE)
        self._children = {
            worker: child
            for worker, child in self._children.items()
            if child.identity in survivors or not _reaped(child)
        }

    def _start(self, plan: LaunchPlan) -> _Child:
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
                # Ctrl-C in the terminal is for pytest, which then ends its workers in order.
                start_new_session=True,
            )
        finally:
            os.close(log)
        # A child that has ended already may not be in the table any more: then there is nothing to
        # end, and an identity that matches no process says so.
        identity = ProcessIdentity.of(popen.pid) or ProcessIdentity(popen.pid, 0.0)
        return _Child(popen=popen, identity=identity, log=plan.log, log_start=log_start)

    def _child(self, worker: str, command: str) -> _Child:
        try:
            return self._children[worker]
        except KeyError:
            raise self._error("there is no such worker", worker, command) from None

    def _error(self, problem: str, worker: str, command: str) -> HostError:
        return HostError(problem, host=self.name, worker=worker, command=command)


def _reaped(child: _Child) -> bool:
    # Waited for, though it has ended: one that had threads can be reaped when they have, too.
    try:
        child.popen.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        return False
    return True


def _tail_of(child: _Child) -> str:
    # An earlier worker of the same name may have written to the same log: its lines come before
    # `log_start`. A first line that is cut is not shown as if it were whole.
    try:
        end = os.lstat(child.log).st_size
        block = own_files.read_end(child.log, min(_WINDOW, max(0, end - child.log_start)))
        start = end - len(block)
    except OSError as error:
        return f"(log not readable: {error})"
    if start > child.log_start:
        block = block.partition(b"\n")[2] or block
    return last_lines(block.decode(errors="replace"))
