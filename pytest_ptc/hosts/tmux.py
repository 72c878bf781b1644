"""Workers in the windows of a tmux server of their own, through libtmux.

- The server is ours alone: its socket is `ptc-<run id>`, it reads no configuration file, and no
  command of ours reaches any other server.
- A worker is exec'ed by tmux with its arguments as they are; the pid of its pane is its own.
- A pane outlives its process, so that even a worker that ends at once leaves its status and lines.
- Processes, the server among them, are ended by recorded identity and not through tmux: that works
  whatever state tmux is in.
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
    OLDEST,
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

#: Seconds that tmux may take to notice what its caller has seen already.
PATIENCE = 2.0

#: Seconds between two questions to tmux about a pane whose process has ended. tmux has an event for
#: it, the hook `pane-died`, but waiting for that could not be given an end.
_INTERVAL = 0.01

#: Seconds that tmux may take to answer: one that is stopped would never do. Once it took longer, it
#: gets the shorter time until it has answered again.
ANSWER, IMPATIENT_ANSWER = 10.0, 1.0

#: Seconds that the server gets to take leave of the people watching.
_SERVER_GRACE = 1.0

#: Lines of history that are read for a pane's last lines, besides what is on its screen.
_HISTORY = 300


class Unfit(NamedTuple):
    """Why workers cannot live in tmux here: a sentence's end after `tmux`, and the fix."""

    why: str
    fix: str

    def __str__(self) -> str:
        return f"{self.why}; {self.fix}"


def unfit_tmux() -> Unfit | None:
    """Return why workers cannot live in tmux here, or None if they can."""
    fix = f"install tmux {OLDEST[0]}.{OLDEST[1]} or newer"
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
    """Return why workers cannot live in tmux here, with the fix, or None if they can."""
    unfit = unfit_tmux()
    return None if unfit is None else f"tmux {unfit}, or choose --ptc-host=process"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pane:
    """A worker's place; `process` is None if it ended before it could be identified."""

    id: str
    process: ProcessIdentity | None
    server: ProcessIdentity


class TmuxWorker:
    """A worker in a pane of a tmux server.

    Args:
        name: Its name.
        pane: Its place.
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
        interactive: Whether who watches may type into panes, too.

    Raises:
        HostError: There is no tmux here, or one that is too old.
    """

    name = "tmux"

    def __init__(self, run_id: str, *, grace: float = 2.0, interactive: bool = False) -> None:
        problem = tmux_problem()
        if problem:
            raise self._error(problem)
        if not re.fullmatch(r"[\w.-]+", run_id):
            raise self._error(f"a run id that cannot name a socket: {run_id!r}")
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
        #: Held while tmux is told to start or end something.
        self.lock = RLock()
        #: What `close` could not do, one sentence each.
        self.problems: list[str] = []

    def __repr__(self) -> str:
        state = "closed" if self._closed else sorted(self._panes)
        return f"<TmuxHost {self._socket_name} {state}>"

    @property
    def attach(self) -> str:
        """Return the command with which a person can watch, from any terminal of the same user.

        It shows, and takes no keys but those to look around, unless the host is interactive.
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
            # Interrupted from here on, or carried out after we have given up waiting, tmux may have
            # started what is not on record: see `close`.
            before, self._unrecorded = self._unrecorded, True
            pane = self._open_window(plan)
            self._panes[plan.worker] = pane
            self._unrecorded = before
            return TmuxWorker(plan.worker, pane, self)

    def bury(self, worker: str, pane: _Pane) -> tuple[str, str]:
        """End a worker and free its place; return how it ended and its last lines.

        Raises:
            HostError: It survives, or tmux does not tell.
        """
        if pane.process is not None:
            end_tree(pane.process, grace=0.0)
            if wait_gone([pane.process], PATIENCE):
                raise self._error("it survived SIGKILL", worker, "kill")
            end_left_behind(pane.process)
        found = self._post_mortem(worker, pane)
        del self._panes[worker]
        return found

    def shown(self, worker: str, pane: _Pane) -> str:
        """Return the last lines of a live worker's pane.

        Raises:
            HostError: Its pane is gone.
        """
        if not pane.server.alive:
            # Another server may have a pane of the same id by now.
            raise self._error("the tmux server is gone", worker, "lines")
        return last_lines("\n".join(self._run(_capture(pane), worker=worker)))

    def close(self) -> None:
        """End the workers with all that they started, then the server; may be called again."""
        self._closed = True
        # A launch that hangs in a stopped tmux must not keep the run from ending.
        held = self.lock.acquire(timeout=PATIENCE)
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
                # The session goes with its last window, be it freed or closed by somebody.
                if self._session_is_there():
                    raise
            # A server that is just ending must not be asked: tmux would start another one for that,
            # which is none of ours.
            if wait_gone([self._server], PATIENCE / 10):
                return self._exec(plan, self._server, "new-session", "-d", "-s", SESSION)
        return self._exec(plan, self._start_server(), "new-session", "-d", "-s", SESSION)

    def _exec(self, plan: LaunchPlan, server: ProcessIdentity, *opening: str) -> _Pane:
        where = ("-n", literal(plan.worker), "-c", literal(str(plan.cwd)))
        command = (*opening, *where, "-P", "-F", PANE_FIELDS, "--", *exec_line(plan.argv))
        return _read_pane(self._told(command, worker=plan.worker)[0], server)

    def _start_server(self) -> ProcessIdentity:
        title = f" {self._socket_name}: workers of pytest {os.getpid()} "
        changes = environment_changes(self._env, os.environ)
        return self._meet(self._told(*preparations(title, os.getpid(), changes))[0])

    def _meet(self, answer: str) -> ProcessIdentity:
        pid, _, socket = answer.partition(" ")
        self._socket = Path(socket)
        self._server = ProcessIdentity.of(int(pid))
        if self._server is None:
            raise self._error("the tmux server is gone")
        # By its path from now on: a test that sets TMUX_TMPDIR must not lead us elsewhere.
        self._tmux = _tmux(socket_path=socket)
        return self._server

    def _session_is_there(self) -> bool:
        try:
            self._run(["has-session", "-t", f"={SESSION}"])
        except HostError:
            return False
        return True

    def _post_mortem(self, worker: str, pane: _Pane) -> tuple[str, str]:
        """Return how a worker that has ended did so, and its last lines."""
        deadline = time.monotonic() + PATIENCE
        while pane.server.alive:
            try:
                state, *lines = self._told(_ask_state(pane), _capture(pane), worker=worker)
            except HostError:
                if not wait_gone([pane.server], PATIENCE / 10):
                    break
                # Asked alone, this is no error if the pane is not there: it then shows nothing.
                if self._run(["display-message", "-p", "-t", pane.id, "#{pane_id}"]) == [pane.id]:
                    raise
                return "its tmux window was closed", ""
            ended = how_it_ended(state)
            if ended is not None or time.monotonic() > deadline:
                self._free(pane)
                return ended or "in a way that tmux does not tell", last_lines("\n".join(lines))
            # tmux before 3.6 loses a SIGCHLD that comes while it writes utmp (tmux#4559), and would
            # never learn how its child ended. Another one makes it look.
            pane.server.send(signal.SIGCHLD)
            time.sleep(_INTERVAL)
        return "tmux server gone", ""

    def _free(self, pane: _Pane) -> None:
        try:
            self._run(["kill-window", "-t", pane.id])
        except HostError:
            # Closed by somebody meanwhile, or with its server: its place is free either way.
            return

    def _record_unrecorded(self) -> None:
        if not self._unrecorded:
            return
        try:
            server = self._meet(self._told(["display-message", "-p", SERVER_FIELDS])[0])
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
            return []  # without a session tmux has no panes, and calls it an error to ask

    def _end_workers(self) -> None:
        workers = [pane.process for pane in self._panes.values() if pane.process]
        survivors = end_trees(workers, self._grace, roots_first=True)
        self.problems += [f"process {process.pid} survived SIGKILL" for process in survivors]
        self._panes = {
            worker: pane for worker, pane in self._panes.items() if pane.process in survivors
        }

    def _end_server(self) -> None:
        if self._server is not None and end_processes([self._server], _SERVER_GRACE):
            raise self._error("the server survived SIGKILL")
        if self._socket is not None:
            # tmux leaves its socket behind, and after a crash the lock with which it was made.
            self._socket.unlink(missing_ok=True)
            self._socket.with_name(f"{self._socket.name}.lock").unlink(missing_ok=True)
        self._server = self._socket = None

    def _told(self, *commands: Sequence[str], worker: str | None = None) -> list[str]:
        """Carry out commands that print a line at least.

        The client of a server that is ended meanwhile prints nothing, and calls that no error.
        """
        lines = self._run(*commands, worker=worker)
        if not lines:
            raise self._error("the tmux server ended before it answered", worker, commands[-1][0])
        return lines

    def _run(self, *commands: Sequence[str], worker: str | None = None) -> list[str]:
        """Carry out commands in one go and return the lines they print; an error names the last."""
        from libtmux.exc import LibTmuxException  # noqa: PLC0415 - see `_tmux`

        name = commands[-1][0]
        try:
            # `-u`: in a locale without UTF-8 tmux would print `_` for parts of a socket's path.
            result = self._answer("-u", *command_line(commands))
        except FutureTimeoutError:
            raise self._error("tmux does not answer; is it stopped?", worker, name) from None
        except (LibTmuxException, OSError, ValueError) as error:
            raise self._error(str(error) or repr(error), worker, name) from error
        if result.returncode != 0:
            problem = " ".join(result.stderr) or describe_exit(result.returncode)
            raise self._error(with_fix(problem), worker, name)
        return list(result.stdout)

    def _answer(self, *words: str) -> Any:
        """Return what tmux says to a command line, or raise `FutureTimeoutError`."""
        said: Future[Any] = Future()

        def ask() -> None:
            try:
                said.set_result(self._tmux.cmd(*words))
            except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
                said.set_exception(error)

        # libtmux waits without an end. Its thread ends when tmux does, which `close` sees to.
        Thread(target=ask, name="ptc-tmux", daemon=True).start()
        try:
            answer = said.result(ANSWER if self._answers else IMPATIENT_ANSWER)
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
    # 0.2 s that only a run with workers in tmux should pay.
    from libtmux.server import Server  # noqa: PLC0415

    return Server(socket_name=socket_name, socket_path=socket_path, config_file=os.devnull)


def _read_pane(answer: str, server: ProcessIdentity) -> _Pane:
    pane_id, pid = answer.split(" ")
    return _Pane(id=pane_id, process=ProcessIdentity.of(int(pid)), server=server)


def _ask_state(pane: _Pane) -> list[str]:
    return ["display-message", "-p", "-t", pane.id, STATE_FIELDS]


def _capture(pane: _Pane) -> list[str]:
    return ["capture-pane", "-p", "-J", "-t", pane.id, "-S", f"-{_HISTORY}"]
