"""What only the tmux host must do: its server may be lost, watched, meddled with or missing."""

from __future__ import annotations

import os
import pty
import select
import shlex
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

import pytest_ptc
from pytest_ptc.hosts import tmux
from pytest_ptc.hosts.tmux import TmuxHost, tmux_problem
from pytest_ptc.model.errors import HostError
from pytest_ptc.system.processes import ProcessIdentity, wait_gone
from tests.support.host_world import DEADLINE, pid_of, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.host_world import HostWorld

FOREVER = "while :; do sleep 1000 & wait $!; done"


def tmux_host(world: HostWorld, **options: float) -> TmuxHost:
    """Return a new host as what it is here, so that a test may look inside."""
    host = world.host(**options)
    assert isinstance(host, TmuxHost)
    return host


def by_hand(host: TmuxHost, *arguments: str) -> str:
    """Do to the host's server what a person could."""
    command = ["tmux", "-S", str(host._socket), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def lose_server(host: TmuxHost, number: int) -> None:
    """Send the host's server a signal and wait until it has ended."""
    server = host._server
    assert server is not None
    server.send(number)
    # One that is stopped takes its signal when it runs again.
    server.send(signal.SIGCONT)
    assert not wait_gone([server], DEADLINE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_close_after_the_server_was_killed(tmux_world: HostWorld, number: int) -> None:
    """Without its server a host still ends its workers, even those that outlive their terminal."""
    host = tmux_host(tmux_world, grace=0.3)
    workers = [
        host.start(tmux_world.shell("w1", FOREVER)),
        host.start(tmux_world.shell("w2", f"trap '' HUP TERM; echo > up; {FOREVER}")),
    ]
    tmux_world.wait_for_file("up")
    lose_server(host, number)
    os.kill(pid_of(workers[1]), 0)
    host.close()
    assert all(tmux_world.has_ended(worker) for worker in workers)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_start_after_the_server_was_killed(tmux_world: HostWorld, number: int) -> None:
    """The workers of a lost server are told as such, and the next launch starts a new server."""
    host = tmux_host(tmux_world)
    old = [host.start(tmux_world.shell(name, FOREVER)) for name in ("w1", "w2")]
    lose_server(host, number)
    tmux_world.wait_for_end(old[1])
    assert old[0].kill() == "tmux server gone"
    new = host.start(tmux_world.shell("w1", f"echo new; {FOREVER}"))
    until(lambda: new.lines() == "new", "the new worker prints")
    # The new server gave the new worker the pane id that w2 had.
    with pytest.raises(HostError, match="tmux/w2: lines: the tmux server is gone"):
        old[1].lines()
    assert old[1].kill() == "tmux server gone"
    os.kill(pid_of(new), 0)


def test_window_closed_by_somebody(tmux_world: HostWorld) -> None:
    """A worker whose window a person closed is told as such; the others are not touched."""
    host = tmux_host(tmux_world)
    worker = host.start(tmux_world.shell("w1", FOREVER))
    other = host.start(tmux_world.shell("w2", f"echo here; {FOREVER}"))
    by_hand(host, "kill-window", "-t", "ptc:w1")
    tmux_world.wait_for_end(worker)
    assert worker.kill() == "its tmux window was closed"
    until(lambda: other.lines() == "here", "the other worker prints")


def test_session_closed_by_somebody(tmux_world: HostWorld) -> None:
    """When a person closed the whole session, the next launch makes another on the same server."""
    host = tmux_host(tmux_world)
    worker = host.start(tmux_world.shell("w1", FOREVER))
    server = host._server
    by_hand(host, "kill-session", "-t", "ptc")
    tmux_world.wait_for_end(worker)
    assert worker.kill() == "its tmux window was closed"
    host.start(tmux_world.shell("w1", FOREVER))
    assert host._server == server


def test_server_outlives_the_last_window(tmux_world: HostWorld) -> None:
    """Killing the only worker leaves the server for the next."""
    host = tmux_host(tmux_world)
    for _ in range(3):
        worker = host.start(tmux_world.plan("w1", "/bin/true"))
        tmux_world.wait_for_end(worker)
        server = host._server
        assert worker.kill() == "exit status 0"
        assert host._server == server


def test_close_with_a_stopped_server(tmux_world: HostWorld) -> None:
    """A server that answers nothing does not keep a host from closing."""
    host = tmux_host(tmux_world)
    host.start(tmux_world.shell("w1", FOREVER))
    assert host._server is not None
    host._server.send(signal.SIGSTOP)
    start = time.monotonic()
    host.close()
    assert time.monotonic() - start < 5


def clients() -> list[int]:
    """Return the process ids of the tmux clients with which we are asking."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if child.name().startswith("tmux"):
                found.append(child.pid)
    return found


@contextmanager
def asked_while_stopped(host: TmuxHost, ask: Callable[[], Any]) -> Iterator[Future[Any]]:
    """Ask the host for something in a thread while its server is stopped."""
    assert host._server is not None
    host._server.send(signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask)
        until(clients, "tmux is asked")
        yield asked


@pytest.mark.fault("terminal-gone")
def test_server_ended_while_a_worker_is_started(tmux_world: HostWorld) -> None:
    """The worker comes up in a new server of ours, though tmux calls its silence no error."""
    host = tmux_host(tmux_world)
    host.start(tmux_world.shell("w1", FOREVER))
    server = host._server
    plan = tmux_world.shell("w2", f"echo here; {FOREVER}")
    with asked_while_stopped(host, lambda: host.start(plan)) as asked:
        lose_server(host, signal.SIGTERM)
        worker = asked.result(DEADLINE)
    os.kill(pid_of(worker), 0)
    assert host._server != server
    until(lambda: worker.lines() == "here", "the worker prints")


@pytest.mark.fault("terminal-gone")
def test_server_ended_while_a_worker_is_buried(tmux_world: HostWorld) -> None:
    """That nothing can be told of the worker any more is told."""
    host = tmux_host(tmux_world)
    worker = host.start(tmux_world.shell("w1", FOREVER))
    os.kill(pid_of(worker), signal.SIGKILL)
    with asked_while_stopped(host, worker.kill) as asked:
        lose_server(host, signal.SIGTERM)
        assert asked.result(DEADLINE) == "tmux server gone"


@pytest.mark.fault("terminal-unread")
def test_a_server_that_is_stopped_holds_nobody_up(
    tmux_world: HostWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an error with a name, the next question waits less, and closing ends all of it."""
    monkeypatch.setattr(tmux, "ANSWER_TIMEOUT_S", 1.0)
    monkeypatch.setattr(tmux, "SHORT_ANSWER_TIMEOUT_S", 0.1)
    host = tmux_host(tmux_world)
    worker = host.start(tmux_world.shell("w1", FOREVER))
    with asked_while_stopped(host, worker.lines) as asked:
        with pytest.raises(HostError, match="tmux/w1: capture-pane: tmux does not answer"):
            asked.result(DEADLINE)
        start = time.monotonic()
        with pytest.raises(HostError, match="tmux/w2: new-session: tmux does not answer"):
            host.start(tmux_world.shell("w2", f"trap '' HUP TERM; {FOREVER}"))
        assert time.monotonic() - start < 0.9
    host.close()
    until(lambda: clients() == [], "the clients that still ask have ended")


def test_a_worker_launched_too_late_is_ended_too(
    tmux_world: HostWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a server that was stopped starts after nobody waits for it any more is ours to end."""
    monkeypatch.setattr(tmux, "ANSWER_TIMEOUT_S", 0.1)
    host = tmux_host(tmux_world)
    host.start(tmux_world.shell("w1", FOREVER))
    plan = tmux_world.shell("w2", f"trap '' HUP; echo > up; {FOREVER}")
    assert host._server is not None
    with asked_while_stopped(host, lambda: host.start(plan)) as asked:
        with pytest.raises(HostError, match="tmux does not answer"):
            asked.result(DEADLINE)
        host._server.send(signal.SIGCONT)
    tmux_world.wait_for_file("up")
    monkeypatch.undo()
    host.start(tmux_world.shell("w3", FOREVER))


def test_close_after_an_interrupted_launch(
    tmux_world: HostWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker whose launch Ctrl-C cut off before it was on record is ended all the same."""
    host = tmux_host(tmux_world)
    host.start(tmux_world.shell("w1", FOREVER))
    run = host._run

    def interrupted(*commands: Any, **options: Any) -> list[str]:
        run(*commands, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(host, "_run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            host.start(tmux_world.shell("w2", f"trap '' HUP; echo > up; {FOREVER}"))
    tmux_world.wait_for_file("up")


def test_close_after_an_interrupted_first_launch(
    tmux_world: HostWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server whose start Ctrl-C cut off before it was on record is ended, with its socket."""
    host = tmux_host(tmux_world)
    run = host._run

    def interrupted(*commands: Any, **options: Any) -> list[str]:
        run(*commands, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(host, "_run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            host.start(tmux_world.shell("w1", FOREVER))
    assert tmux_world.sockets() != []


def test_users_own_tmux_is_not_touched(
    tmux_world: HostWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a person's tmux, workers still live in a server of their own, and know only that."""
    home = tmux_world.path("home")
    home.mkdir()
    (home / ".tmux.conf").write_text("set -g status-left mine\nset -g remain-on-exit off\n")
    monkeypatch.setenv("HOME", str(home))
    theirs = tmux_host(tmux_world)
    theirs.start(tmux_world.shell("theirs", FOREVER))
    socket, pane = by_hand(theirs, "list-panes", "-a", "-F", "#{socket_path} #{pane_id}").split()
    monkeypatch.setenv("TMUX", f"{socket},{theirs._server.pid if theirs._server else 0},0")
    monkeypatch.setenv("TMUX_PANE", pane)

    ours = tmux_host(tmux_world)
    worker = ours.start(tmux_world.shell("w1", "echo $TMUX > t.new; mv t.new t; sleep 1000"))
    assert tmux_world.wait_for_file("t").startswith(f"{ours._socket},")
    assert by_hand(theirs, "list-windows", "-a", "-F", "#{window_name}") == "theirs"
    assert by_hand(ours, "list-windows", "-a", "-F", "#{window_name}") == "w1"
    assert ours._socket_name in by_hand(ours, "show-options", "-gv", "status-left")
    os.kill(pid_of(worker), signal.SIGKILL)
    tmux_world.wait_for_end(worker)
    assert worker.kill() == "killed by SIGKILL"
    ours.close()
    assert by_hand(theirs, "list-windows", "-a", "-F", "#{window_name}") == "theirs"


@contextmanager
def terminal(line: str, rows: int, columns: int) -> Iterator[Any]:
    """Run a line in a terminal of its own and yield a function that returns what it showed."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm", LINES=str(rows), COLUMNS=str(columns))
        os.execl("/bin/sh", "sh", "-c", f"stty rows {rows} cols {columns}; {line}")
    shown = b""

    def screen() -> bytes:
        nonlocal shown
        while select.select([fd], [], [], 0)[0]:
            try:
                shown += os.read(fd, 65536)
            except OSError:  # the terminal was closed at its other end
                break
        return shown

    try:
        yield screen
    finally:
        os.close(fd)
        os.waitpid(pid, 0)


@pytest.mark.parametrize("with_folder", [False, True])
def test_attach_line(
    tmux_world: HostWorld,
    monkeypatch: pytest.MonkeyPatch,
    short_folder: Path,
    *,
    with_folder: bool,
) -> None:
    """The line given to people shows them the workers, from any terminal, and disturbs nobody."""
    if with_folder:
        monkeypatch.setenv("TMUX_TMPDIR", str(short_folder))
    else:
        monkeypatch.delenv("TMUX_TMPDIR", raising=False)
    host = tmux_host(tmux_world)
    line = "x" * 100 + "end"
    worker = host.start(tmux_world.shell("w1", f"echo {line}; {FOREVER}"))
    monkeypatch.delenv("TMUX_TMPDIR", raising=False)
    with terminal(host.attach, 12, 40) as screen:
        until(lambda: b"xend" in screen().replace(b"\r\n", b""), "the worker is shown")
        until(lambda: host._socket_name.encode() in screen(), "the status line is shown")
        assert worker.lines() == line
        other = host.start(tmux_world.shell("w2", "exit 3"))
        tmux_world.wait_for_end(other)
        assert other.kill() == "exit status 3"
    assert worker.lines() == line
    host.close()
    assert not list(short_folder.glob("tmux-*/*"))


def test_later_change_of_the_socket_folder(
    tmux_world: HostWorld, monkeypatch: pytest.MonkeyPatch, short_folder: Path
) -> None:
    """A test that sets TMUX_TMPDIR while workers live does not lead the host to another server."""
    host = tmux_host(tmux_world)
    host.start(tmux_world.shell("w1", FOREVER))
    monkeypatch.setenv("TMUX_TMPDIR", str(short_folder))
    host.start(tmux_world.shell("w2", FOREVER))
    assert by_hand(host, "list-windows", "-a", "-F", "#{window_name}") == "w1\nw2"
    assert list(short_folder.iterdir()) == []


def test_socket_path_too_long(
    tmux_world: HostWorld, monkeypatch: pytest.MonkeyPatch, short_folder: Path
) -> None:
    """A socket folder with too long a path is an error that says what to do."""
    folder = short_folder / ("x" * 100)
    folder.mkdir()
    monkeypatch.setenv("TMUX_TMPDIR", str(folder))
    host = tmux_host(tmux_world)
    with pytest.raises(HostError, match=r"File name too long.*set TMUX_TMPDIR"):
        host.start(tmux_world.shell("w1", FOREVER))


def test_socket_folder_with_any_name(
    tmux_world: HostWorld, monkeypatch: pytest.MonkeyPatch, short_folder: Path
) -> None:
    """A socket folder may have any name, and a locale without UTF-8 does not spoil it."""
    folder = short_folder / "é #{pid};"
    folder.mkdir()
    monkeypatch.setenv("TMUX_TMPDIR", str(folder))
    monkeypatch.setenv("LC_ALL", "C")
    host = tmux_host(tmux_world)
    worker = host.start(tmux_world.shell("w1", f"echo 'é 漢'; {FOREVER}"))
    until(worker.lines, "the worker prints")
    assert worker.lines() == "é 漢"
    assert host._socket is not None
    assert host._socket.is_socket()
    host.close()
    assert not list(folder.glob("tmux-*/*"))


def test_command_line_too_long(tmux_world: HostWorld) -> None:
    """More arguments than tmux takes are an error that says so, and leave nothing."""
    host = tmux_host(tmux_world)
    for _ in range(2):
        with pytest.raises(HostError, match=r"w1: new-session: command too long; .*16 kB"):
            host.start(tmux_world.plan("w1", "echo", "x" * 20_000))
    host.start(tmux_world.shell("w1", FOREVER))
    with pytest.raises(HostError, match=r"w2: new-window: command too long; .*16 kB"):
        host.start(tmux_world.plan("w2", "echo", "x" * 20_000))


def test_no_tmux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without tmux the host cannot be made, and the reason says what to do."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "install tmux 3.2 or newer, or choose --ptc-host=process" in str(tmux_problem())
    with pytest.raises(HostError, match="tmux: tmux is not installed; install"):
        TmuxHost("x")


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("echo tmux 3.1c", "tmux 3.1c is too old; install"),
        ("exit 1", "tmux does not run"),
    ],
)
def test_unusable_tmux(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, problem: str
) -> None:
    """A tmux that is too old or does not run is told as such."""
    program = tmp_path / "tmux"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(HostError, match=problem):
        TmuxHost("x")


def test_tmux_vanishes(tmux_world: HostWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of libtmux itself comes out as ours, and names the command."""
    host = tmux_host(tmux_world)
    worker = host.start(tmux_world.shell("w1", FOREVER))
    with monkeypatch.context() as patch:
        patch.setenv("PATH", "/nonexistent")
        with pytest.raises(HostError, match=r"tmux/w1: capture-pane: .*TmuxCommandNotFound"):
            worker.lines()


def test_run_id_that_is_no_name() -> None:
    """A run id that would put the socket elsewhere is refused."""
    with pytest.raises(HostError, match="run id"):
        TmuxHost("../x")


ORPHANING = """
import os, signal, sys, time
from pathlib import Path
from pytest_ptc.hosts.tmux import TmuxHost
from pytest_ptc.interfaces.host import LaunchPlan

folder = Path.cwd()
host = TmuxHost(sys.argv[1])
for worker in ("w1", "w2"):
    argv = ("/bin/sh", "-c", "read x < go")
    host.start(LaunchPlan(worker=worker, argv=argv, cwd=folder, log=folder / "log"))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_server_does_not_outlive_a_killed_pytest(tmux_world: HostWorld) -> None:
    """When pytest was killed, the end of its first worker ends its server, with the socket."""
    os.mkfifo(tmux_world.path("go"))
    run_id = f"{tmux_world.cookie[:8]}-orphan"
    env = {**os.environ, "PYTHONPATH": str(Path(pytest_ptc.__file__).parents[1])}
    owner = subprocess.run(
        [sys.executable, "-c", ORPHANING, run_id], cwd=tmux_world.folder, env=env, check=False
    )
    assert owner.returncode == -signal.SIGKILL
    (socket,) = tmux_world.sockets()
    ask = ["tmux", "-S", str(socket), "display-message", "-p", "#{pid}"]
    server = ProcessIdentity.of(int(subprocess.run(ask, check=True, capture_output=True).stdout))
    assert server is not None

    def ended() -> bool:
        # tmux before 3.6 may miss the end of a child until the next one (tmux#4559).
        server.send(signal.SIGCHLD)
        return tmux_world.running() == []

    tmux_world.path("go").write_text("\n")
    until(ended, "the server ends")
    assert tmux_world.sockets() == []


def test_attach_line_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line for people is one that a shell reads as it was meant."""
    monkeypatch.setenv("TMUX_TMPDIR", "/a b/$x")
    words = shlex.split(TmuxHost("run-1").attach)
    assert words == ["TMUX_TMPDIR=/a b/$x", "tmux", "-L", "ptc-run-1", "attach", "-r"]
