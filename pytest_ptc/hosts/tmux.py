"""Workers in the windows of a tmux server of their own, through libtmux.

- Each run has its own server: its socket is `ptc-<run id>`, it reads no configuration file, and our
  commands reach no other server.
- tmux executes a worker directly, without a shell that parses its arguments; the pane's pid is the
  worker's.
- A pane outlives its process, so that a worker that ends at once leaves its status and lines.
- Processes, also the server, are ended by their recorded identity and not through tmux: that works
  in every state of tmux.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from pathlib import Path
from threading import RLock, Thread
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_ptc.hosts.ends import process_ended
from pytest_ptc.hosts.last_lines import last_lines
from pytest_ptc.hosts.launch_check import check_plan
from pytest_ptc.hosts.tmux_language import (
    OLDEST_VERSION,
    PANE_FIELDS,
    SERVER_FIELDS,
    SESSION,
    STATE_FIELDS,
    command_line,
    environment_changes,
    exec_line,
    how_it_ended,
    literal,
    preparations,
    too_old,
    with_fix,
)
from pytest_ptc.hosts.tmux_socket import socket_place
from pytest_ptc.interfaces.environment import worker_environment
from pytest_ptc.interfaces.names import RunNames
from pytest_ptc.model.errors import HostError
from pytest_ptc.system.processes import (
    ProcessIdentity,
    describe_exit,
    end_left_behind,
    end_processes,
    end_tree,
    end_trees,
    wait_gone,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from libtmux.server import Server

    from pytest_ptc.interfaces.host import LaunchPlan

#: Seconds that a process may take to end after SIGKILL, and tmux to notice that.
EXIT_TIMEOUT_S = 2.0

#: Seconds between two queries of tmux about a pane whose process has ended. tmux has an event for
#: it, the hook `pane-died`, but no way to wait for that with a timeout.
_POLL_INTERVAL_S = 0.01

#: Seconds that tmux may take to answer: a stopped one never does. After a timeout, the shorter one
#: applies until tmux has answered again.
ANSWER_TIMEOUT_S, SHORT_ANSWER_TIMEOUT_S = 10.0, 1.0

#: Seconds that the server gets to detach its clients.
_SERVER_GRACE_S = 1.0

#: Lines of history that are read for a pane's last lines, besides its screen.
_HISTORY_LINES = 300


class Unfit(NamedTuple):
    """Why tmux cannot be used here, as the end of a sentence after `tmux`, and the fix."""

    why: str
    fix: str

    def __str__(self) -> str:
        return f"{self.why}; {self.fix}"


def unfit_tmux() -> Unfit | None:
    """Return why tmux cannot be used here, or None if it can."""
    fix = f"install tmux {OLDEST_VERSION[0]}.{OLDEST_VERSION[1]} or newer"
    program = shutil.which("tmux")
    if program is None:
        return Unfit("is not installed", fix)
    try:
        answer = subprocess.run(
            [program, "-V"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Unfit(f"does not run ({error})", fix)
    if too_old(answer.stdout):
        return Unfit(f"{answer.stdout.strip().removeprefix('tmux ')} is too old", fix)
    return None


def tmux_problem() -> str | None:
    """Return why tmux cannot be used here, with the fix, or None if it can."""
    unfit = unfit_tmux()
    return None if unfit is None else f"tmux {unfit}, or choose --ptc-host=process"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pane:
    """A worker's pane; `process` is None if it ended before it could be identified."""

    id: str
    process: ProcessIdentity | None
    server: ProcessIdentity


class TmuxWorker:
    """A worker in a pane of a tmux server.

    Args:
        name: Its name.
        pane: Its pane.
        host: The host that started it.
    """

    def __init__(self, name: str, pane: _Pane, host: TmuxHost) -> None:
        self._name = name
        self._pane = pane
        self._host = host
        self._how: str | None = None
        self._last_lines = ""

    @property
    def identity(self) -> ProcessIdentity | None:
        """Return its process; see `WorkerHandle`."""
        return self._pane.process

    async def ended(self) -> None:
        """Return when it has ended; see `WorkerHandle`."""
        await process_ended(self._pane.process)

    def kill(self) -> str:
        """End it with all that it started, and close its window; see `WorkerHandle`."""
        with self._host.lock:
            if self._how is None:
                self._how, self._last_lines = self._host.bury(self._name, self._pane)
            return self._how

    def lines(self) -> str:
        """Return the last lines of its pane; see `WorkerHandle`."""
        if self._how is not None:
            return self._last_lines
        return self._host.shown(self._name, self._pane)


class TmuxHost:
    """Runs each worker in a window of its own, named after it, where a person can watch.

    A worker's environment is this process's as it was when the host was made, and what tmux sets in
    every pane (`TERM`, `TMUX`, `TMUX_PANE`). tmux limits a worker's command line to about 16 kB.

    Args:
        run_id: Names the socket; letters, digits, `.`, `_` and `-`.
        grace: Seconds that workers get between SIGTERM and SIGKILL when the host is closed.
        interactive: Whether people who attach may type into panes.

    Raises:
        HostError: There is no tmux here, or one that is too old.
    """

    name = "tmux"

    def __init__(self, run_id: str, *, grace: float = 2.0, interactive: bool = False) -> None:
        problem = tmux_problem()
        if problem:
            raise self._error(problem)
        if not re.fullmatch(r"[\w.-]+", run_id):
            raise self._error(f"the run id {run_id!r} cannot be in the name of a socket")
        self._socket_name = RunNames(run_id).tmux_socket
        self._grace = grace
        self._interactive = interactive
        self._env = worker_environment(os.environ)
        self._tmux = _tmux(socket_name=self._socket_name)
        self._server: ProcessIdentity | None = None
        self._socket: Path | None = None
        self._panes: dict[str, _Pane] = {}
        self._answers = True
        self._unrecorded = False
        self._closed = False
        #: Held while tmux starts or ends something.
        self.lock = RLock()
        #: Errors of `close`, one sentence each.
        self.problems: list[str] = []

    def __repr__(self) -> str:
        state = "closed" if self._closed else sorted(self._panes)
        return f"<TmuxHost {self._socket_name} {state}>"

    @property
    def attach(self) -> str:
        """Return the command with which a person can watch, from any terminal of the same user.

        It is read-only, with keys to switch windows, unless the host is interactive.
        """
        folder = self._env.get("TMUX_TMPDIR")
        prefix = f"TMUX_TMPDIR={shlex.quote(folder)} " if folder else ""
        read_only = "" if self._interactive else " -r"
        return f"{prefix}tmux -L {self._socket_name} attach{read_only}"

    @property
    def tmux_socket(self) -> str:
        """Return where the server's socket is, or will be."""
        if self._socket is not None:
            return str(self._socket)
        return socket_place(self._socket_name, self._env, os.getuid())

    @property
    def farewell(self) -> tuple[str, ...]:
        """Return the program that ends the server of the pane it runs in, and removes its socket.

        The hook `pane-died` does the same, but tmux before 3.6 may miss that a pane died
        (tmux#4559).
        """
        # TMUX holds the socket's path, the server's pid and the session's number. The server closes
        # the pane's terminal when it ends, and that would end this script by SIGHUP.
        script = """trap '' HUP; tmux -S "${TMUX%,*,*}" kill-server; rm -f "${TMUX%,*,*}" """
        return ("/bin/sh", "-c", script)

    def start(self, plan: LaunchPlan) -> TmuxWorker:
        """Start a worker in a new window.

        Raises:
            HostError: The host is closed, the name is taken, or tmux cannot start the program.
        """
        with self.lock:
            if self._closed:
                raise self._error("the host is closed", plan.worker, "start")
            check_plan(plan, host=self.name, taken=self._panes, env=self._env)
            # If this is interrupted, or tmux acts after our timeout, tmux may have started a pane
            # that we have not recorded: see `close`.
            before, self._unrecorded = self._unrecorded, True
            pane = self._open_window(plan)
            self._panes[plan.worker] = pane
            self._unrecorded = before
            return TmuxWorker(plan.worker, pane, self)

    def bury(self, worker: str, pane: _Pane) -> tuple[str, str]:
        """End a worker and close its window; return how it ended and its last lines.

        Raises:
            HostError: It survives, or tmux does not answer.
        """
        if pane.process is not None:
            end_tree(pane.process, grace=0.0)
            if wait_gone([pane.process], EXIT_TIMEOUT_S):
                raise self._error("it survived SIGKILL", worker, "kill")
            end_left_behind(pane.process)
        ended, lines = self._read_end(worker, pane)
        del self._panes[worker]
        return ended, lines

    def shown(self, worker: str, pane: _Pane) -> str:
        """Return the last lines of a live worker's pane.

        Raises:
            HostError: Its pane does not exist any more.
        """
        if not pane.server.alive:
            # A newer server may have a pane of the same id.
            raise self._error("the tmux server is gone", worker, "lines")
        return last_lines("\n".join(self._run(_capture(pane), worker=worker)))

    def close(self) -> None:
        """End the workers with all that they started, then the server; may be called again."""
        self._closed = True
        # A launch that hangs in a stopped tmux must not block the end of the run.
        held = self.lock.acquire(timeout=EXIT_TIMEOUT_S)
        try:
            for step in (self._record_unrecorded, self._end_workers, self._end_server):
                try:
                    step()
                except Exception as error:  # noqa: BLE001 - `close` must not raise
                    self.problems.append(f"{step.__name__.strip('_')}: {error!r}")
        finally:
            if held:
                self.lock.release()

    def _open_window(self, plan: LaunchPlan) -> _Pane:
        if self._server is not None and self._server.alive:
            try:
                return self._exec(plan, self._server, "new-window", "-d", "-t", f"={SESSION}:")
            except HostError:
                # The session ends with its last window, whoever closed that.
                if self._session_is_there():
                    raise
            # Do not query a server that is ending: tmux would start another one for that, which we
            # do not know.
            if wait_gone([self._server], EXIT_TIMEOUT_S / 10):
                return self._exec(plan, self._server, "new-session", "-d", "-s", SESSION)
        return self._exec(plan, self._start_server(), "new-session", "-d", "-s", SESSION)

    def _exec(self, plan: LaunchPlan, server: ProcessIdentity, *opening: str) -> _Pane:
        where = ("-n", literal(plan.worker), "-c", literal(str(plan.cwd)))
        command = (*opening, *where, "-P", "-F", PANE_FIELDS, "--", *exec_line(plan.argv))
        return _read_pane(self._query(command, worker=plan.worker)[0], server)

    def _start_server(self) -> ProcessIdentity:
        title = f" {self._socket_name}: workers of process {os.getpid()} "
        changes = environment_changes(self._env, os.environ)
        return self._use_server(self._query(*preparations(title, os.getpid(), changes))[0])

    def _use_server(self, answer: str) -> ProcessIdentity:
        pid, _, socket = answer.partition(" ")
        self._socket = Path(socket)
        self._server = ProcessIdentity.of(int(pid))
        if self._server is None:
            raise self._error("the tmux server is gone")
        # By its path from now on: a test may change TMUX_TMPDIR.
        self._tmux = _tmux(socket_path=socket)
        return self._server

    def _session_is_there(self) -> bool:
        try:
            self._run(["has-session", "-t", f"={SESSION}"])
        except HostError:
            return False
        return True

    def _read_end(self, worker: str, pane: _Pane) -> tuple[str, str]:
        """Return how an ended worker ended, and its last lines."""
        deadline = time.monotonic() + EXIT_TIMEOUT_S
        while pane.server.alive:
            try:
                state, *lines = self._query(_ask_state(pane), _capture(pane), worker=worker)
            except HostError:
                if not wait_gone([pane.server], EXIT_TIMEOUT_S / 10):
                    break
                # For a missing pane this command prints nothing, without an error.
                if self._run(["display-message", "-p", "-t", pane.id, "#{pane_id}"]) == [pane.id]:
                    raise
                return "its tmux window was closed", ""
            ended = how_it_ended(state)
            if ended is not None or time.monotonic() > deadline:
                self._free(pane)
                return ended or "in an unknown way (tmux reports no exit status)", last_lines(
                    "\n".join(lines)
                )
            # tmux before 3.6 loses a SIGCHLD that comes while it writes utmp (tmux#4559), and would
            # never reap its child. A second one makes it check.
            pane.server.send(signal.SIGCHLD)
            time.sleep(_POLL_INTERVAL_S)
        return "tmux server gone", ""

    def _free(self, pane: _Pane) -> None:
        try:
            self._run(["kill-window", "-t", pane.id])
        except HostError:
            # Already closed, alone or with its server.
            return

    def _record_unrecorded(self) -> None:
        if not self._unrecorded:
            return
        try:
            server = self._use_server(self._query(["display-message", "-p", SERVER_FIELDS])[0])
        except HostError:
            return  # no server was started
        known = {pane.id for pane in self._panes.values() if pane.server == server}
        for pane in (_read_pane(line, server) for line in self._pane_lines()):
            if pane.id not in known:
                self._panes[f"unrecorded {pane.id}"] = pane
        self._unrecorded = False

    def _pane_lines(self) -> list[str]:
        try:
            return self._run(["list-panes", "-a", "-F", PANE_FIELDS])
        except HostError:
            return []  # without a session, tmux reports an error instead of no panes

    def _end_workers(self) -> None:
        workers = [pane.process for pane in self._panes.values() if pane.process]
        survivors = end_trees(workers, self._grace, roots_first=True)
        self.problems += [f"process {process.pid} survived SIGKILL" for process in survivors]
        self._panes = {
            worker: pane for worker, pane in self._panes.items() if pane.process in survivors
        }

    def _end_server(self) -> None:
        if self._server is not None and end_processes([self._server], _SERVER_GRACE_S):
            raise self._error("the server survived SIGKILL")
        if self._socket is not None:
            # tmux leaves its socket behind, and after a crash the socket's lock file.
            self._socket.unlink(missing_ok=True)
            self._socket.with_name(f"{self._socket.name}.lock").unlink(missing_ok=True)
        self._server = self._socket = None

    def _query(self, *commands: Sequence[str], worker: str | None = None) -> list[str]:
        """Run commands that print at least one line.

        When the server ends meanwhile, the client prints nothing, without an error.
        """
        lines = self._run(*commands, worker=worker)
        if not lines:
            raise self._error("the tmux server ended before it answered", worker, commands[-1][0])
        return lines

    def _run(self, *commands: Sequence[str], worker: str | None = None) -> list[str]:
        """Run commands in one call and return the lines they print; an error names the last one."""
        from libtmux.exc import LibTmuxException  # noqa: PLC0415 - see `_tmux`

        name = commands[-1][0]
        try:
            # `-u`: in a locale without UTF-8 tmux would print `_` for parts of a socket's path.
            result = self._run_client("-u", *command_line(commands))
        except FutureTimeoutError:
            raise self._error("tmux does not answer; is it stopped?", worker, name) from None
        except (LibTmuxException, OSError, ValueError) as error:
            raise self._error(str(error) or repr(error), worker, name) from error
        if result.returncode != 0:
            problem = " ".join(result.stderr) or describe_exit(result.returncode)
            raise self._error(with_fix(problem), worker, name)
        return list(result.stdout)

    def _run_client(self, *words: str) -> Any:
        """Return the result of a tmux client, or raise `FutureTimeoutError`."""
        result: Future[Any] = Future()

        def run() -> None:
            try:
                result.set_result(self._tmux.cmd(*words))
            except BaseException as error:  # noqa: BLE001 - raised again by `result.result`
                result.set_exception(error)

        # libtmux waits without a timeout. Its thread ends with the tmux server, which `close` ends.
        Thread(target=run, name="ptc-tmux", daemon=True).start()
        try:
            answer = result.result(ANSWER_TIMEOUT_S if self._answers else SHORT_ANSWER_TIMEOUT_S)
        except FutureTimeoutError:
            self._answers = False
            raise
        self._answers = True
        return answer

    def _error(
        self, problem: str, worker: str | None = None, command: str | None = None
    ) -> HostError:
        return HostError(problem, host=self.name, worker=worker, command=command)


def _tmux(*, socket_name: str | None = None, socket_path: str | None = None) -> Server:
    # Lazily: the import takes 0.2 s, and only this host needs it.
    from libtmux.server import Server  # noqa: PLC0415

    return Server(socket_name=socket_name, socket_path=socket_path, config_file=os.devnull)


def _read_pane(answer: str, server: ProcessIdentity) -> _Pane:
    pane_id, pid = answer.split(" ")
    return _Pane(id=pane_id, process=ProcessIdentity.of(int(pid)), server=server)


def _ask_state(pane: _Pane) -> list[str]:
    return ["display-message", "-p", "-t", pane.id, STATE_FIELDS]


def _capture(pane: _Pane) -> list[str]:
    return ["capture-pane", "-p", "-J", "-t", pane.id, "-S", f"-{_HISTORY_LINES}"]
