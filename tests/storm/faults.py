"""The faults of a storm: each is done to a victim that is chosen at random.

Victims are found as an outsider would find them: workers by the journal, agents by their
environment, tmux by its socket, tasks by their files on the shared list.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import psutil

from pytest_ptc.model.trouble import Cause

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from tests.storm.story import Story
    from tests.storm.suite import Suite

#: Seconds for one command to tmux, which may be busy with the last fault.
_TMUX_PATIENCE = 10.0
#: How old a stale lock is made, in seconds: older than any that a live process holds.
_STALE = 60.0

_Victim = TypeVar("_Victim")


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What faults find their victims in."""

    suite: Suite
    story: Story
    chance: Random

    def look(self) -> bool:
        """Take in what the journal has told since; tell whether there is a run to storm.

        That is one whose first worker has called in: where none ever did, a run gives up early.
        """
        if self.suite.journal is not None:
            self.story.read_on(self.suite.journal)
        return self.story.ready and not self.story.ended


class Hit(NamedTuple):
    """Whom a fault hit: the workers, the processes of agents and the tasks that it can have harmed.

    `attempt` is the task and the number of the attempt whose agent was hit.
    """

    workers: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    attempt: tuple[str, int] | None = None
    pid: int | None = None


class NoVictimError(OSError):
    """A fault finds nobody to be done to."""


def _one_of(scene: Scene, victims: list[_Victim]) -> _Victim:
    if not victims:
        raise NoVictimError
    return scene.chance.choice(victims)


# Workers and agents.


def _signal_worker(number: signal.Signals, *, stopped: bool = False) -> Callable[[Scene], Hit]:
    def act(scene: Scene) -> Hit:
        workers = {
            name: process
            for name, process in _workers(scene).items()
            if (process.status() == psutil.STATUS_STOPPED) == stopped
        }
        name = _one_of(scene, sorted(workers))
        workers[name].send_signal(number)
        return Hit(workers=(name,))

    return act


def _workers(scene: Scene) -> dict[str, psutil.Process]:
    found = {}
    for name, pid in scene.story.pids.items():
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            # Its number may be another's by now.
            if f"workers/{name}/launch.json" in " ".join(process.cmdline()):
                found[name] = process
    return found


def _signal_agent(number: signal.Signals) -> Callable[[Scene], Hit]:
    def act(scene: Scene) -> Hit:
        process, attempt = _one_of(scene, _agents(scene))
        process.send_signal(number)
        return Hit(attempt=attempt, pid=process.pid)

    return act


def _agents(scene: Scene) -> list[tuple[psutil.Process, tuple[str, int]]]:
    """Return the processes of all agents, and of what they have started, with their attempts."""
    found = []
    for process in scene.suite.processes():
        with suppress(psutil.Error, KeyError):
            # A process that is just ending has no environment any more.
            environ = process.environ()
            found.append((process, (environ["PTC_TASK_ID"], int(environ["PTC_ATTEMPT"]))))
    return found


# tmux.


def _of_everybody(do: Callable[[Scene], object]) -> Callable[[Scene], Hit]:
    def act(scene: Scene) -> Hit:
        before = tuple(scene.story.pids)
        do(scene)
        # Also those that have started since the last look.
        scene.look()
        return Hit(workers=(*before, *scene.story.pids))

    return act


def _kill_server(scene: Scene) -> None:
    psutil.Process(int(_tmux(scene, "display-message", "-p", "#{pid}")[0])).kill()


def _end_server(scene: Scene) -> None:
    _tmux(scene, "kill-server")


def _end_session(scene: Scene) -> None:
    _tmux(scene, "kill-session", "-t", "=ptc")


def _close_window(scene: Scene) -> Hit:
    there = _tmux(scene, "list-windows", "-t", "=ptc", "-F", "#{window_name}")
    name = _one_of(scene, sorted(_workers(scene).keys() & set(there)))
    _tmux(scene, "kill-window", "-t", f"=ptc:={name}")
    return Hit(workers=(name,))


def _tmux(scene: Scene, *arguments: str) -> list[str]:
    answer = subprocess.run(
        ["tmux", "-S", scene.story.run["tmux_socket"], *arguments],
        capture_output=True,
        check=True,
        text=True,
        timeout=_TMUX_PATIENCE,
    )
    return answer.stdout.splitlines()


# The shared list.


def _corrupt(scene: Scene) -> Hit:
    file = _task_file(scene)
    with file.open("r+b") as task:
        task.write(b'{"id": 7, ]')
    return _of_task(file)


def _truncate(scene: Scene) -> Hit:
    file = _task_file(scene)
    os.truncate(file, scene.chance.choice((0, file.stat().st_size // 2)))
    return _of_task(file)


def _delete(scene: Scene) -> Hit:
    file = _task_file(scene)
    file.unlink()
    return _of_task(file)


def _delete_list(scene: Scene) -> Hit:
    folder = _list(scene)
    if not folder.is_dir():
        raise NoVictimError
    shutil.rmtree(folder, ignore_errors=True)
    return Hit(tasks=tuple(scene.story.tasks.values()))


def _lock_task(age: float) -> Callable[[Scene], Hit]:
    def act(scene: Scene) -> Hit:
        file = _task_file(scene)
        _leave_lock(file.with_name(f"{file.name}.lock"), age)
        return _of_task(file)

    return act


def _lock_list(scene: Scene) -> Hit:
    _leave_lock(_list(scene) / ".lock.lock", _STALE)
    return Hit(tasks=tuple(scene.story.tasks.values()))


def _leave_lock(lock: Path, age: float) -> None:
    lock.mkdir()
    then = time.time() - age
    os.utime(lock, (then, then))


def _list(scene: Scene) -> Path:
    return Path(scene.story.run["task_list"])


def _task_file(scene: Scene) -> Path:
    """Return the file of a task that is not over, or of the one that keeps the list."""
    files = sorted(_list(scene).glob("*.json"))
    return _one_of(scene, [file for file in files if scene.story.is_open(file.stem)])


def _of_task(file: Path) -> Hit:
    return Hit(tasks=(file.stem,))


# All of them.


class Fault(NamedTuple):
    """One kind of fault.

    Args:
        share: How often it is in the deck; see `_CHANCE_OF_DELETION` for the one that is not.
        act: What it does.
        causes: What the errors of items may name that it hit. What is done to the list costs no
            item, as the list is a view: but a task that somebody deletes is theirs.
    """

    share: int
    act: Callable[[Scene], Hit]
    causes: frozenset[Cause] = frozenset()


#: The fault that makes an agent contradict a pass that it has recorded.
KILLED_AGENT = "SIGKILL of an agent"
DELETED_LIST = "the list deleted"

_LOST = frozenset({Cause.WORKER_LOST})
_BROKEN = frozenset({Cause.AGENT_FAILED, Cause.CONTRADICTED})
_TAKEN = frozenset({Cause.CLAIM_LOST})

FAULTS = {
    "SIGKILL of a worker": Fault(4, _signal_worker(signal.SIGKILL), _LOST),
    "SIGTERM of a worker": Fault(3, _signal_worker(signal.SIGTERM), _LOST),
    "SIGSTOP of a worker": Fault(2, _signal_worker(signal.SIGSTOP), _LOST),
    "SIGCONT of a stopped worker": Fault(1, _signal_worker(signal.SIGCONT, stopped=True), _LOST),
    KILLED_AGENT: Fault(4, _signal_agent(signal.SIGKILL), _BROKEN),
    "SIGSTOP of an agent": Fault(1, _signal_agent(signal.SIGSTOP)),
    "SIGKILL of the tmux server": Fault(1, _of_everybody(_kill_server), _LOST),
    "end of the tmux server": Fault(1, _of_everybody(_end_server), _LOST),
    "end of the tmux session": Fault(1, _of_everybody(_end_session), _LOST),
    "end of a tmux window": Fault(2, _close_window, _LOST),
    "a task's file corrupt": Fault(2, _corrupt),
    "a task's file cut": Fault(2, _truncate),
    "a task's file deleted": Fault(2, _delete, _TAKEN),
    # While it is being deleted, a task may be gone and others still be there.
    DELETED_LIST: Fault(0, _delete_list, _TAKEN),
    "a task's stale lock": Fault(2, _lock_task(_STALE)),
    # Its claim waits until the lock is stale, and that may take the worker longer than its time.
    "a task's lock, its holder just dead": Fault(1, _lock_task(0.0), _LOST),
    "the list's stale lock": Fault(1, _lock_list),
}
#: How probable it is that the list is deleted once the deck is through: of several storms, some
#: should end with a list whose tasks have to be taken off it.
_CHANCE_OF_DELETION = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Strike:
    """One fault that was done.

    Args:
        at: When, in seconds since the epoch.
        kind: Of which kind.
        hit: To whom.
        causes: What the errors of items may name that it hit.
    """

    at: float
    kind: str
    hit: Hit
    causes: frozenset[Cause]


class Storm:
    """Does one random fault after the other.

    They are drawn from a deck, so that every kind comes up in every storm of some length.

    Args:
        scene: Where.
        faults: All that it can do, by kind.
    """

    def __init__(self, scene: Scene, faults: Mapping[str, Fault] = FAULTS) -> None:
        self.scene = scene
        self._faults = faults
        self._kinds = [kind for kind, fault in faults.items() for _ in range(fault.share)]
        self._deck: list[str] = []
        self.strikes: list[Strike] = []
        #: Attempts of which something was seen to go on after the journal had their ends.
        self.outlived: set[tuple[str, int]] = set()

    def look(self) -> None:
        """See whether anything goes on of attempts that have ended, as the journal has told."""
        over = {key for key, told in self.scene.story.attempts.items() if told.ended is not None}
        self.outlived |= over & {attempt for _, attempt in _agents(self.scene)}

    def strike(self) -> None:
        """Do the next fault that finds a victim."""
        # Twice through the deck: if nothing finds one then, nothing can be done just now.
        for _ in range(2 * len(self._kinds)):
            kind, at = self._draw(), time.time()
            hit = self._try(kind)
            if hit is not None:
                causes = self._faults[kind].causes
                self.strikes.append(Strike(at=at, kind=kind, hit=hit, causes=causes))
                return

    def _draw(self) -> str:
        if not self._deck:
            self._deck = list(self._kinds)
            self.scene.chance.shuffle(self._deck)
            if DELETED_LIST in self._faults and self.scene.chance.random() < _CHANCE_OF_DELETION:
                # Drawn last: without the list, nothing can be done to it any more.
                self._deck.insert(0, DELETED_LIST)
        return self._deck.pop()

    def _try(self, kind: str) -> Hit | None:
        # A victim may end just before it is struck, and so may the run with all that is its own.
        with suppress(psutil.Error, OSError, subprocess.SubprocessError):
            return self._faults[kind].act(self.scene)
        return None
