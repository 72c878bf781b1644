"""What every host must do, proved on each: `world` gives them in turn."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.hosts.process import ProcessHost
from pytest_ptc.model.errors import HostError
from tests.support.host_world import DEADLINE, pid_of, until

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ptc.interfaces.host import Host
    from tests.support.host_world import HostWorld

FOREVER = "while :; do sleep 1000 & wait $!; done"

#: Writes what it was started with, as JSON, to the file named first, and lives until it has gone.
SELF_PORTRAIT = """
import json, os, sys, time
portrait = {
    "argv": sys.argv[2:], "pid": os.getpid(), "cwd": os.getcwd(), "env": dict(os.environ),
    "session": os.getsid(0),
}
open(sys.argv[1] + ".new", "w").write(json.dumps(portrait))
os.rename(sys.argv[1] + ".new", sys.argv[1])
while os.path.exists(sys.argv[1]):
    time.sleep(0.005)
"""

NASTY = (
    "",
    " ",
    "two words",
    "'single'",
    '"double"',
    "$(touch pwned)",
    "`touch pwned`",
    "$HOME",
    "a\nb\n",
    "tab\there",
    ";",
    "end;",
    "end\\;",
    "back\\",
    "\\\\;",
    "#{pane_id}",
    "#(touch pwned)",
    "##",
    "#[fg=red]",
    "%H:%M",
    "{",
    "}",
    "-t",
    "--",
    "~",
    "*",
    "kill-server",
    "has-session",
    "ünïcödé 漢字 🦉",
    "\udcff\udcfe",
)

#: What tmux and a Python in a plain locale put into a worker's environment themselves.
HOST_VARIABLES = {
    "TERM",
    "TERM_PROGRAM",
    "TERM_PROGRAM_VERSION",
    "TMUX",
    "TMUX_PANE",
    "SHELL",
    "LC_CTYPE",
    "PWD",
}


def portrait(world: HostWorld, host: Host, *arguments: str, cwd: Path | None = None) -> Any:
    """Launch a worker that writes what it was started with, and return that when it has ended."""
    plan = world.plan(
        "portrait",
        sys.executable,
        "-IS",
        "-c",
        SELF_PORTRAIT,
        str(world.path("p")),
        *arguments,
        cwd=cwd,
    )
    worker = host.start(plan)
    found = json.loads(world.wait_for_file("p"))
    assert found["pid"] == pid_of(worker)
    world.path("p").unlink()
    world.wait_for_end(worker)
    assert worker.kill() == "exit status 0"
    return found


def test_arguments_arrive_as_they_are(world: HostWorld) -> None:
    """A worker gets exactly its arguments, whatever a shell or tmux would make of them."""
    found = portrait(world, world.host(), *NASTY)
    assert found["argv"] == list(NASTY)
    assert not world.path("pwned").exists()


def test_program_without_arguments(world: HostWorld) -> None:
    """A program alone is started as a program too, and not read as a line for a shell."""
    program = world.path("my $(touch pwned) 'program';")
    program.write_text("#!/bin/sh\necho $$ > pid.new; mv pid.new pid\n")
    program.chmod(0o700)
    host = world.host()
    worker = host.start(world.plan("w1", str(program)))
    world.wait_for_file("pid")
    world.wait_for_end(worker)
    assert worker.kill() == "exit status 0"
    assert not world.path("pwned").exists()


@pytest.mark.parametrize(
    "name", ["plain", "a b", "#{pid} #(touch pwned)", "##[x#", "%H $(touch pwned);", "~", "ü;"]
)
def test_directory(world: HostWorld, name: str) -> None:
    """A worker starts in the directory asked for, whatever its name, and PWD says so."""
    folder = world.path(name)
    folder.mkdir()
    found = portrait(world, world.host(), cwd=folder)
    assert found["cwd"] == str(folder)
    assert found["env"]["PWD"] == str(folder)


def test_environment_is_the_hosts(world: HostWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's environment is pytest's when the host was made, not what a test sets later."""
    monkeypatch.setenv("PTC_NASTY", "a\nb $HOME #{pid} ü end;")
    monkeypatch.setenv("PTC_EMPTY", "")
    expected = dict(os.environ)
    host = world.host()
    monkeypatch.setenv("PTC_NASTY", "changed")
    monkeypatch.setenv("PTC_LATER", "set by a test;")
    monkeypatch.delenv("PTC_EMPTY")
    found = portrait(world, host)["env"]
    again = portrait(world, host)["env"]
    for environment in (found, again):
        seen = {name: environment.get(name) for name in environment | expected}
        wrong = {
            name: (value, expected.get(name))
            for name, value in seen.items()
            if value != expected.get(name) and name not in HOST_VARIABLES
        }
        assert wrong == {}


def test_worker_has_its_own_session(world: HostWorld) -> None:
    """Ctrl-C in pytest's terminal does not reach a worker: it leads a session of its own."""
    found = portrait(world, world.host())
    assert found["session"] == found["pid"]


@pytest.mark.parametrize("status", [0, 1, 3, 255])
def test_exit_status(world: HostWorld, status: int) -> None:
    """The exit status of a worker that ends by itself is told."""
    host = world.host()
    worker = host.start(world.shell("w1", f"exit {status}"))
    world.wait_for_end(worker)
    assert worker.kill() == f"exit status {status}"


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV", "ABRT", "USR1"])
def test_signal(world: HostWorld, name: str) -> None:
    """The signal that ended a worker is told by its name."""
    host = world.host()
    worker = host.start(world.shell("w1", f"ulimit -c 0; kill -{name} $$; sleep 1000"))
    world.wait_for_end(worker)
    assert worker.kill() == f"killed by SIG{name}"


def test_end_at_once_is_seen(world: HostWorld) -> None:
    """A worker that ends before its start is over leaves its status, time and again."""
    host = world.host()
    for _ in range(6):
        worker = host.start(world.plan("w1", "/bin/false"))
        world.wait_for_end(worker)
        assert worker.kill() == "exit status 1"


def test_last_lines_are_kept(world: HostWorld) -> None:
    """The last forty lines that are not empty are there while a worker lives and when it ended."""
    os.mkfifo(world.path("go"))
    host = world.host()
    script = "for i in $(seq 100); do echo line $i; echo; done; read x < go; exit 3"
    worker = host.start(world.shell("w1", script))
    until(lambda: "line 100" in worker.lines(), "the last line is shown")
    expected = "\n".join(f"line {i}" for i in range(61, 101))
    assert worker.lines() == expected
    world.path("go").write_text("\n")
    world.wait_for_end(worker)
    assert (worker.kill(), worker.lines()) == ("exit status 3", expected)


def test_output_is_made_readable(world: HostWorld) -> None:
    """Broken characters and orders for a terminal do not get into its lines; other text does."""
    world.path("noise").write_bytes(
        b"\x1b]0;a title\x07\x1b[31mred\x1b[0m\n"
        b"broken \xff\xfe utf-8\n"
        b"  indented \xc3\xa9 \xe6\xbc\xa2\n"
        b"10%\r99%\n"
    )
    host = world.host()
    worker = host.start(world.shell("w1", f"cat noise; {FOREVER}"))
    until(lambda: "99%" in worker.lines(), "the last line is shown")
    red, broken, indented, progress = worker.lines().splitlines()
    assert red == "red"
    assert broken.startswith("broken ")
    assert broken.endswith(" utf-8")
    assert (indented, progress) == ("  indented é 漢", "99%")


def test_long_line_stays_one_line(world: HostWorld) -> None:
    """A line that is longer than a window is wide comes back as one."""
    line = "x" * 500 + "end"
    host = world.host()
    worker = host.start(world.shell("w1", f"echo {line}; {FOREVER}"))
    until(lambda: "end" in worker.lines(), "the line is shown")
    assert worker.lines() == line


def test_many_workers_at_once(world: HostWorld) -> None:
    """Twenty workers started from several threads all live, and each ends as itself."""
    host = world.host()
    names = [f"w{i}" for i in range(1, 21)]
    with ThreadPoolExecutor(8) as pool:
        workers = dict(
            zip(
                names,
                pool.map(lambda name: host.start(world.shell(name, FOREVER)), names),
                strict=True,
            )
        )
    pids = {name: pid_of(worker) for name, worker in workers.items()}
    assert len(set(pids.values())) == 20
    for pid in pids.values():
        os.kill(pid, 0)
    for name in names[::2]:
        os.kill(pids[name], signal.SIGKILL)
    for name in names[::2]:
        world.wait_for_end(workers[name])
        assert workers[name].kill() == "killed by SIGKILL"


def test_place_is_free_when_a_worker_was_killed(world: HostWorld) -> None:
    """A worker's name can be used again when it was killed, and not before."""
    host = world.host()
    first = host.start(world.shell("w1", "echo first; exit 1"))
    world.wait_for_end(first)
    with pytest.raises(HostError, match=f"{host.name}/w1: start: .*name is taken"):
        host.start(world.shell("w1", FOREVER))
    told = first.kill(), first.lines()
    assert told[0] == "exit status 1"
    second = host.start(world.shell("w1", f"echo second; {FOREVER}"))
    until(second.lines, "the second worker prints")
    assert second.lines() == "second"
    # The first one's end is told as before, and the second one is not touched by that.
    assert (first.kill(), first.lines()) == told
    assert "second" not in told[1]
    os.kill(pid_of(second), 0)


def test_a_worker_that_lives_is_killed(world: HostWorld) -> None:
    """With all that it started, whatever that ignores; and its last lines are there."""
    host = world.host()
    child = "setsid sh -c 'trap \"\" TERM HUP; echo > up; sleep 1000' & "
    worker = host.start(world.shell("w1", f"echo here; trap '' TERM HUP; {child} {FOREVER}"))
    world.wait_for_file("up")
    until(worker.lines, "the worker prints")
    for _ in range(2):
        assert worker.kill() == "killed by SIGKILL"
        # A shell may have time to say that its child was killed.
        assert worker.lines().splitlines()[0] == "here"
    assert world.has_ended(worker)
    until(lambda: world.running_workers() == [], "its children have ended")


@pytest.mark.parametrize("when", ["before", "while"])
def test_the_end_is_an_event(world: HostWorld, when: str) -> None:
    """Whoever waits for it in an event loop wakes up, also if it came first."""
    os.mkfifo(world.path("go"))
    host = world.host()
    worker = host.start(world.shell("w1", "read x < go; exit 3"))

    async def wait() -> None:
        if when == "before":
            world.path("go").write_text("\n")
            world.wait_for_end(worker)
        ended = asyncio.ensure_future(worker.ended())
        done, _ = await asyncio.wait([ended], timeout=0 if when == "while" else DEADLINE)
        assert bool(done) is (when == "before")
        if when == "while":
            await asyncio.to_thread(world.path("go").write_text, "\n")
        await asyncio.wait_for(ended, DEADLINE)

    asyncio.run(wait())
    assert worker.kill() == "exit status 3"


def test_plans_that_cannot_be(world: HostWorld) -> None:
    """A missing program, a missing directory and no program at all are refused before a start."""
    host = world.host()
    missing = world.path("missing")
    with pytest.raises(HostError, match="w1: start: no such program: ptc-no-such-program"):
        host.start(world.plan("w1", "ptc-no-such-program", "x"))
    with pytest.raises(HostError, match=f"w1: start: no such directory: {missing}"):
        host.start(world.plan("w1", "true", "x", cwd=missing))
    with pytest.raises(HostError, match="w1: start: no program"):
        host.start(world.plan("w1"))
    with pytest.raises(HostError, match=r"w1: .*: embedded null byte"):
        host.start(world.plan("w1", "true", "a\0b"))
    host.start(world.shell("w1", FOREVER))


def test_program_is_found_from_the_workers_directory(world: HostWorld) -> None:
    """A program given by a relative path is looked up where the worker starts."""
    program = world.path("run.sh")
    program.write_text("#!/bin/sh\nexit 7\n")
    program.chmod(0o700)
    host = world.host()
    worker = host.start(world.plan("w1", "./run.sh", "x"))
    world.wait_for_end(worker)
    assert worker.kill() == "exit status 7"


def test_close_lets_workers_finish(world: HostWorld) -> None:
    """A worker gets the time of the grace to end in order, and no longer than it needs."""
    host = world.host(grace=60)
    host.start(world.shell("w1", "trap 'sleep 0.2; echo > done; exit' TERM; echo > up; " + FOREVER))
    world.wait_for_file("up")
    start = time.monotonic()
    host.close()
    assert time.monotonic() - start < 30
    assert world.path("done").exists()


def test_close_kills_what_ignores_it(world: HostWorld) -> None:
    """Workers that ignore SIGTERM are killed after one grace for all of them."""
    host = world.host(grace=0.3)
    workers = [
        host.start(world.shell(f"w{i}", f"trap '' TERM HUP; echo > up{i}; {FOREVER}"))
        for i in range(4)
    ]
    for i in range(4):
        world.wait_for_file(f"up{i}")
    host.close()
    assert all(world.has_ended(worker) for worker in workers)


@pytest.mark.parametrize("trap", ["", "trap '' TERM HUP CONT;"])
def test_close_ends_stopped_workers(world: HostWorld, trap: str) -> None:
    """A stopped worker is ended: by SIGTERM once it is continued, else by SIGKILL."""
    host = world.host(grace=0.3)
    worker = host.start(world.shell("w1", f"{trap} echo > up; {FOREVER}"))
    world.wait_for_file("up")
    os.kill(pid_of(worker), signal.SIGSTOP)
    host.close()
    assert world.has_ended(worker)


def test_close_ends_what_workers_started(world: HostWorld) -> None:
    """What a worker leaves behind goes with it, even in a session of its own."""
    host = world.host()
    script = "setsid sh -c 'trap \"\" TERM HUP; echo > up; sleep 1000' & " + FOREVER
    host.start(world.shell("w1", script))
    world.wait_for_file("up")
    started = world.running_workers()
    assert len(started) > 1
    host.close()
    # Of those alone: a hook's shell may just have been started by the server.
    assert [process for process in world.running() if process in started] == []


def test_killing_ends_what_a_worker_left(world: HostWorld) -> None:
    """What a worker that has ended left running in its session ends when it is killed."""
    host = world.host()
    script = "sh -c 'trap \"\" TERM HUP; echo > up; sleep 1000' & " + FOREVER
    worker = host.start(world.shell("w1", script))
    world.wait_for_file("up")
    os.kill(pid_of(worker), signal.SIGKILL)
    world.wait_for_end(worker)
    assert worker.kill() == "killed by SIGKILL"
    until(lambda: world.running_workers() == [], "the worker's child has ended")


def test_close_without_a_start(world: HostWorld) -> None:
    """A host that never had a worker closes as well, and makes nothing."""
    host = world.host()
    host.close()
    assert world.sockets() == []


def test_start_after_close(world: HostWorld) -> None:
    """A closed host starts nothing any more."""
    host = world.host()
    host.close()
    with pytest.raises(HostError, match=f"{host.name}/w1: start: the host is closed"):
        host.start(world.shell("w1", FOREVER))


# The interrupt may fall between the opening of a file and what closes it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_close_after_an_interrupted_close(world: HostWorld) -> None:
    """A second close finishes what Ctrl-C kept the first one from doing."""
    host = world.host(grace=60)
    worker = host.start(
        world.shell("w1", "trap 'echo > asked' TERM; trap '' HUP; echo > up; " + FOREVER)
    )
    world.wait_for_file("up")
    main = threading.get_ident()

    def interrupt() -> None:
        world.wait_for_file("asked")
        signal.pthread_kill(main, signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        interrupter.start()
        with pytest.raises(KeyboardInterrupt):
            host.close()
    finally:
        signal.signal(signal.SIGINT, before)
        interrupter.join()
    os.kill(pid_of(worker), 0)
    host._grace = 0.1
    host.close()
    assert world.has_ended(worker)


def test_flood_of_output(world: HostWorld) -> None:
    """A worker that prints without end blocks neither its lines nor the close."""
    host = world.host()
    worker = host.start(world.shell("w1", "seq 100000; echo > up; yes flood"))
    world.wait_for_file("up")
    until(lambda: "flood" in worker.lines(), "the flood is shown")
    assert len(worker.lines().splitlines()) == 40
    start = time.monotonic()
    host.close()
    assert time.monotonic() - start < 5


def test_farewell_of_an_orphan(world: HostWorld) -> None:
    """A worker that becomes its host's farewell leaves nothing of the host, not even its server."""
    host = world.host()
    if not host.farewell:
        assert world.kind == "process"
        return
    host.start(world.shell("w1", FOREVER))
    world.wait_for_end(host.start(world.shell("w2", 'exec "$@"', *host.farewell)))
    until(lambda: world.running() == [], "the server and the other worker end")
    until(lambda: world.sockets() == [], "the socket is removed")


def test_repr_names_workers(world: HostWorld) -> None:
    """What a host shows of itself names its kind and its workers."""
    host = world.host()
    host.start(world.shell("w1", FOREVER))
    assert "w1" in repr(host)
    host.close()
    assert "closed" in repr(host)


def test_log_is_private_and_read_from_its_end(tmp_path: Path) -> None:
    """A process worker's log is its owner's alone, and a huge one is not read whole for its end."""
    host = ProcessHost()
    world_log = tmp_path / "w1.log"
    script = "truncate -s 100M w1.log; echo; echo the end; sleep 1000"
    from pytest_ptc.interfaces.host import LaunchPlan  # noqa: PLC0415

    worker = host.start(
        LaunchPlan(worker="w1", argv=("/bin/sh", "-c", script), cwd=tmp_path, log=world_log)
    )
    until(lambda: worker.lines().endswith("the end"), "the end is shown")
    start = time.monotonic()
    assert worker.lines() == "the end"
    assert time.monotonic() - start < 0.1
    assert stat.S_IMODE(world_log.stat().st_mode) == 0o600
    host.close()
    assert host.problems == []


def test_close_leaves_no_child_unreaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor one of many threads, whose first is gone a moment before it can be waited for."""
    from pytest_ptc.interfaces.host import LaunchPlan  # noqa: PLC0415

    host = ProcessHost()
    plan = LaunchPlan(worker="w1", argv=("/bin/sleep", "600"), cwd=tmp_path, log=tmp_path / "log")
    worker = host.start(plan)
    # What the system says in that moment.
    monkeypatch.setattr(subprocess.Popen, "poll", lambda _: None)
    host.close()
    with pytest.raises(ChildProcessError):
        os.waitpid(pid_of(worker), os.WNOHANG)
    assert repr(host) == "<ProcessHost closed>"
    assert host.problems == []


def test_importing_hosts_is_cheap() -> None:
    """Importing the hosts brings in neither libtmux nor psutil."""
    script = (
        "import sys, pytest_ptc.hosts.tmux, pytest_ptc.hosts.process;"
        "sys.exit(str({'libtmux', 'psutil'} & set(sys.modules) or '') or None)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (result.returncode, result.stderr) == (0, b"")
