from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from threading import Thread
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_ptc.system import process_table, processes
from pytest_ptc.system.process_table import PROCFS, PSUTIL, Entry, Source
from pytest_ptc.system.processes import (
    ProcessIdentity,
    children,
    describe_exit,
    end_left_behind,
    end_marked,
    end_processes,
    end_tree,
    end_tree_and_marked,
    end_trees,
    relatives,
    running,
    wait_gone,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COOKIE = "PTC_TEST_PROCESSES"

#: Seconds after which an event that a test waits for counts as missing.
DEADLINE = 15.0


class World:
    """Starts shell scripts in a folder and knows all that came of them by a cookie."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cookie = uuid.uuid4().hex
        self.children: list[subprocess.Popen[bytes]] = []

    def start(self, script: str, *, new_session: bool = True) -> ProcessIdentity:
        """Start a script and wait until it has made the file `up`."""
        child = subprocess.Popen(
            ["/bin/sh", "-c", script],
            cwd=self.folder,
            env={**os.environ, COOKIE: self.cookie},
            start_new_session=new_session,
        )
        self.children.append(child)
        self.wait_for_file("up")
        identity = ProcessIdentity.of(child.pid)
        assert identity is not None
        return identity

    def wait_for_file(self, name: str) -> str:
        """Wait until a script has put this file in place, take it, and return what it holds."""
        path = self.folder / name
        deadline = time.monotonic() + DEADLINE
        while not path.exists():
            assert time.monotonic() < deadline, f"no script made {name}"
            time.sleep(0.005)
        text = path.read_text()
        path.unlink()
        return text

    def running(self) -> list[psutil.Process]:
        """Return the processes that came of the scripts and still run."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return (
                process.environ().get(COOKIE) == self.cookie
                and process.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.Error:
            return False


@pytest.fixture(params=["procfs and pidfd", "psutil and polling"])
def world(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """Give the test a world, seen once as Linux shows it and once as any other system does."""
    if request.param == "psutil and polling":
        monkeypatch.setattr(processes, "_source", lambda: PSUTIL)
        # On Linux, where nothing but this test uses it, psutil counts a start from the time of the
        # boot, which the kernel tells in whole seconds, now of one and now of the next.
        if sys.platform.startswith("linux"):
            monkeypatch.setattr("psutil._pslinux.boot_time", lambda: 0.0)
        monkeypatch.delattr(os, "pidfd_open")
    world = World(tmp_path)
    yield world
    # Again, until none is left: a shell not killed yet may start its next command meanwhile.
    while running := world.running():
        for process in running:
            process.kill()
    for child in world.children:
        child.wait(DEADLINE)


def test_identity_of_a_running_process(world: World) -> None:
    """A process that runs is alive, and its identity is the same whenever it is asked for."""
    root = world.start("echo > up; sleep 1000")
    assert root.alive
    assert ProcessIdentity.of(root.pid) == root


def test_zombie_has_ended(world: World) -> None:
    """A process that ended counts as ended before it is reaped, and waiting does not reap it."""
    root = world.start("echo > up; read x < /dev/null; exit 7")
    assert wait_gone([root], DEADLINE) == []
    assert not root.alive
    assert world.children[0].wait(0) == 7
    assert ProcessIdentity.of(root.pid) is None


def test_wait_gone_gives_up(world: World) -> None:
    """Waiting ends with the timeout and returns those that still run."""
    root = world.start("echo > up; sleep 1000")
    start = time.monotonic()
    assert wait_gone([root], 0.05) == [root]
    assert 0.05 <= time.monotonic() - start < 2
    assert wait_gone([root], 0) == [root]


def test_reused_pid_is_not_touched(world: World) -> None:
    """A process that has the pid of an earlier one, but another start, is left alone."""
    root = world.start("echo > up; sleep 1000")
    earlier = ProcessIdentity(root.pid, root.created - 100)
    assert not earlier.alive
    assert not earlier.send(signal.SIGKILL)
    assert end_processes([earlier], 0) == []
    assert end_tree(earlier, 0) == []
    assert end_left_behind(earlier) == []
    assert root.alive


def test_we_are_never_ended(world: World) -> None:
    """Whatever names us, this process is not signalled, and does not count as a survivor."""
    us = ProcessIdentity.of(os.getpid())
    assert us is not None
    assert not us.send(signal.SIGKILL)
    assert end_processes([us], 0) == []
    world.start("echo > up; sleep 1000", new_session=False)
    assert us.alive


def test_polite_process_gets_time(world: World) -> None:
    """A process that ends in order within the grace does so, and no time is lost after."""
    root = world.start("trap 'sleep 0.1; echo > done; exit' TERM; echo > up; sleep 1000 & wait")
    start = time.monotonic()
    assert end_processes([root], 60) == []
    assert time.monotonic() - start < 30
    world.wait_for_file("done")


def test_rude_process_is_killed(world: World) -> None:
    """A process that ignores SIGTERM is killed after the grace."""
    root = world.start("trap '' TERM; echo > up; while :; do sleep 1000; done")
    assert end_processes([root], 0.1) == []
    assert world.children[0].wait(DEADLINE) == -signal.SIGKILL


def test_no_grace_is_no_question(world: World) -> None:
    """With no grace SIGKILL comes at once."""
    root = world.start("trap 'echo > asked' TERM; echo > up; sleep 1000 & wait")
    assert end_processes([root], 0) == []
    assert not (world.folder / "asked").exists()


def test_stopped_process_is_continued_to_end(world: World) -> None:
    """A stopped process gets to handle SIGTERM."""
    root = world.start("trap 'echo > done; exit' TERM; echo > up; sleep 1000 & wait")
    root.send(signal.SIGSTOP)
    assert end_processes([root], 60) == []
    world.wait_for_file("done")


def test_survivors_are_returned(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be signalled is returned, after the patience for SIGKILL."""
    monkeypatch.setattr(processes, "KILL_TIMEOUT_S", 0.05)
    root = world.start("echo > up; sleep 1000")
    monkeypatch.setattr(ProcessIdentity, "send", lambda _self, _number: False)
    assert end_processes([root], 0.01) == [root]


@pytest.mark.parametrize("new_session", [True, False])
@pytest.mark.parametrize("grace", [0, 0.2])
def test_tree_with_its_own_sessions(world: World, grace: float, *, new_session: bool) -> None:
    """A tree ends whole: children, grandchildren, those in sessions of their own, the deaf ones."""
    inner = 'trap "" TERM HUP; echo > up; sleep 1000'
    root = world.start(f"setsid sh -c '{inner}' & sleep 1000 & wait", new_session=new_session)
    assert len(world.running()) >= 3
    assert end_tree(root, grace) == []
    assert world.running() == []


def test_orphan_in_the_session_of_the_root(world: World) -> None:
    """A grandchild whose parent ended is no descendant any more, and ends by its session."""
    root = world.start("sh -c 'sleep 1000 & echo > up'; sleep 1000")
    assert end_tree(root, 0) == []
    assert world.running() == []


def test_roots_first(world: World) -> None:
    """Roots can be asked alone: what they leave is killed without a question."""
    script = "sh -c 'trap \"echo > asked\" TERM; echo > up; while :; do sleep 1000; done' & wait"
    root = world.start(script)
    assert end_trees([root], 60, roots_first=True) == []
    assert world.running() == []
    assert not (world.folder / "asked").exists()


def test_left_behind(world: World) -> None:
    """What a session leader left in its session ends when the leader has ended, reaped or not."""
    root = world.start("(trap '' HUP; sleep 1000) & echo > up; exit 0")
    assert wait_gone([root], DEADLINE) == []
    world.children[0].wait(DEADLINE)
    assert world.running() != []
    assert end_left_behind(root) == []
    assert world.running() == []


FORKING = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for number in range(200):
    time.sleep(0.001)
    if os.fork() == 0:
        time.sleep(1000)
        os._exit(0)
    if number == 10:
        open("up", "w").close()
time.sleep(1000)
"""


@pytest.mark.parametrize("new_session", [True, False])
def test_forks_during_the_kill(world: World, *, new_session: bool) -> None:
    """A process that forks faster than it is looked at cannot outrun the kill."""
    (world.folder / "forking.py").write_text(FORKING)
    root = world.start(f"exec {sys.executable} -IS forking.py", new_session=new_session)
    assert end_tree(root, 0) == []
    assert world.running() == []


def test_forks_during_the_grace(world: World) -> None:
    """A child that was started on SIGTERM, to outlive its parent, does not."""
    root = world.start("trap 'sleep 1000 & exit' TERM; echo > up; sleep 1000 & wait")
    assert end_tree(root, 60) == []
    assert world.running() == []


def test_marked_processes(world: World) -> None:
    """A process with the mark is found where no tree shows it, and one without it is left alone."""
    other = World(world.folder)
    bystander = other.start("echo > up; sleep 1000")
    try:
        world.start("setsid sh -c 'setsid sleep 1000 & echo > up' & exit")
        world.children[0].wait(DEADLINE)
        # While a process is being replaced by `exec`, the system shows no environment of it.
        deadline = time.monotonic() + DEADLINE
        while not world.running():
            assert time.monotonic() < deadline
            time.sleep(0.005)
        assert end_marked(COOKIE, world.cookie, 0.2) == []
        assert world.running() == []
        assert bystander.alive
    finally:
        assert end_tree(bystander, 0) == []
        other.children[0].wait(DEADLINE)


def test_processes_that_were_there_before_are_not_looked_at(world: World) -> None:
    """Who knows that they cannot have the mark saves the looks; what came later is ended."""
    before = world.start("echo > up; sleep 1000")
    others = running()
    after = world.start("echo > up; sleep 1000")
    assert end_marked(COOKIE, world.cookie, 0, but=others) == []
    assert before.alive
    assert not after.alive


def test_tree_and_marked_are_asked_and_ended_together(world: World) -> None:
    """A child that hides its mark is in the tree, an orphan in its own session has the mark."""
    telling = 'trap "echo > $0; exit" TERM; echo > up; while :; do sleep 0.01; done'
    orphan = world.start(f"setsid sh -c '{telling}' orphan & exit")
    wait_gone([orphan], DEADLINE)
    root = world.start(f"env -i setsid sh -c '{telling}' child & wait")
    assert end_tree_and_marked(root, COOKIE, world.cookie, 60) == []
    assert world.running() == []
    for name in ("orphan", "child"):
        world.wait_for_file(name)


@pytest.mark.fault("agent-leaves-children")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it is how Linux shows them")
def test_a_process_that_is_being_replaced_is_found_by_its_mark(tmp_path: Path) -> None:
    """The system shows no environment of it for a moment, which must not let it get away."""
    world = World(tmp_path)
    program = tmp_path / "again"
    program.write_text("#!/bin/sh\n: > up\nexec ./again\n")
    program.chmod(0o755)
    root = world.start("exec ./again")
    try:
        found = [PROCFS.marked(root.pid, COOKIE, world.cookie) for _ in range(3000)]
    finally:
        assert end_tree(root, 0) == []
        world.children[0].wait(DEADLINE)
    assert found.count(False) == 0


def test_mark_of_our_own(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark that this process has too ends the others only."""
    marked = Source(
        lambda: [os.getpid(), *[child.pid for child in world.children]],
        processes._source().entry,
        lambda _pid, _name, _value: True,
        processes._source().children,
    )
    root = world.start("echo > up; sleep 1000")
    monkeypatch.setattr(processes, "_source", lambda: marked)
    assert end_marked("ANY", "thing", 0.1) == []
    assert not root.alive


@pytest.mark.parametrize("source", [PROCFS, PSUTIL])
def test_sources(source: Source) -> None:
    """Both ways to read the system's table tell the truth about this process, and of none else."""
    entry = source.entry(os.getpid())
    assert entry is not None
    assert (entry.parent, entry.session) == (os.getppid(), os.getsid(0))
    assert not entry.ended
    assert os.getpid() in source.pids()
    assert source.entry(2**22 + 1) is None
    assert not source.marked(2**22 + 1, "PATH", "")
    assert source.marked(os.getppid(), "PATH", "/no/such") is False


@pytest.mark.parametrize("source", [PROCFS, PSUTIL])
def test_children(source: Source, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are found: what a thread has started that has ended, and what nobody has waited for."""
    monkeypatch.setattr(processes, "_source", lambda: source)
    roots: list[ProcessIdentity] = []
    starter = Thread(target=lambda: roots.append(world.start("sleep 1000 & : > up; wait")))
    starter.start()
    starter.join()
    ended = world.start(": > up")
    wait_gone([ended], DEADLINE)
    found = children(os.getpid())
    assert {*roots, ended} <= found
    (below,) = children(roots[0].pid)
    assert below not in found
    assert children(2**22 + 1) == frozenset()


@pytest.mark.parametrize(
    ("looks", "found"),
    [
        pytest.param([{1}, {1}], {1}, id="the same twice"),
        pytest.param([set(), {1}, {1, 2}, {1, 2}], {1, 2}, id="a list that was read too early"),
        pytest.param([{number} for number in range(20)], {7, 8, 9}, id="never the same"),
        pytest.param([None], {7, 8, 9}, id="a kernel without lists"),
        pytest.param([{1}, None], {7, 8, 9}, id="it ends meanwhile"),
    ],
)
def test_lists_of_children_count_when_two_looks_are_the_same(
    monkeypatch: pytest.MonkeyPatch, looks: list[set[int] | None], found: set[int]
) -> None:
    """Otherwise all processes are looked at."""
    several = iter(looks)
    monkeypatch.setattr(process_table, "_listed_children", lambda _: next(several))
    monkeypatch.setattr(process_table, "_procfs_pids", lambda: [7, 8, 9])
    assert set(PROCFS.children(5)) == found


def test_program_with_a_confusing_name(tmp_path: Path) -> None:
    """A program's name that looks like the fields after it does not confuse the table."""
    program = tmp_path / "x) Z 1 1"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "1000"]) as child:
        try:
            entry = PROCFS.entry(child.pid)
            assert entry is not None
            assert (entry.parent, entry.ended) == (os.getpid(), False)
        finally:
            child.kill()


def row(parent: int, session: int, created: float = 1.0) -> Entry:
    """Return a row of the table for a process that runs."""
    return Entry(parent=parent, session=session, created=created, ended=False)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        pytest.param({10: row(1, 1)}, {10}, id="alone"),
        pytest.param({10: row(1, 1), 11: row(10, 1), 12: row(11, 12)}, {10, 11, 12}, id="tree"),
        pytest.param({10: row(1, 10), 13: row(1, 10)}, {10, 13}, id="orphan in the session"),
        pytest.param({13: row(1, 10)}, {10, 13}, id="session without its leader"),
        pytest.param({10: row(1, 10, 2.0), 13: row(10, 10)}, {10}, id="pid reused"),
        pytest.param({10: row(1, 1), 13: row(1, 1)}, {10}, id="not a leader"),
    ],
)
def test_relatives(table: dict[int, Entry], expected: set[int]) -> None:
    """Descendants and members of a session belong to a process; strangers do not."""
    found = relatives(frozenset([ProcessIdentity(10, 1.0)]), table)
    assert {process.pid for process in found} == expected


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (0, "exit status 0"),
        (255, "exit status 255"),
        (-9, "killed by SIGKILL"),
        (-15, "killed by SIGTERM"),
        (-40, "killed by signal 40"),
    ],
)
def test_describe_exit(code: int, text: str) -> None:
    """An exit code is told in words."""
    assert describe_exit(code) == text
