"""Processes ended for good: by identity, by tree, or by a mark in their environment.

- A process is known by its pid and its start, so that a reused pid is never signalled, and never by
  its name.
- This process itself is never signalled.
- Ending is SIGTERM, a grace, SIGKILL. Nothing here reaps: a child's exit status stays with whoever
  started it, and a zombie counts as ended.
"""

from __future__ import annotations

import math
import os
import select
import signal
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.system.process_table import PROCFS, PSUTIL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import TypeAlias

    from pytest_ptc.system.process_table import Entry, Source

    #: Returns the known processes and those that belong to them by now.
    _Grow: TypeAlias = "Callable[[frozenset[ProcessIdentity]], frozenset[ProcessIdentity]]"

#: Seconds that the kernel may take to carry out a SIGKILL; only a process stuck in it takes more.
KILL_TIMEOUT_S = 2.0

#: How often we look again for what appeared meanwhile. The second look finds nothing as a rule; no
#: end at all would leave us to something that starts processes faster than anybody can end them.
_ROUNDS = 10

#: Seconds between two looks where the system offers no event for the end of a foreign process.
_POLL_INTERVAL_S = 0.01


class ProcessIdentity(NamedTuple):
    """One process, told apart from a later one with the same pid.

    Args:
        pid: Its process id.
        created: When it was started, in a unit of the system's; it can only be compared.
    """

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """Return the identity of the process that has this pid now, if one has."""
        entry = _source().entry(pid)
        return cls(pid, entry.created) if entry else None

    @property
    def alive(self) -> bool:
        entry = _source().entry(self.pid)
        return entry is not None and entry.created == self.created and not entry.ended

    def send(self, number: int) -> bool:
        """Send it a signal, unless it has ended; tell whether that could be done."""
        if self.pid == os.getpid():
            return False
        with _handle(self.pid) as handle:
            # Asked after the handle was opened: the handle cannot come to mean another process.
            if not self.alive:
                return False
            try:
                if handle is None:
                    os.kill(self.pid, number)
                else:
                    signal.pidfd_send_signal(handle, number)
            except OSError:  # it ended just now, or belongs to another user
                return False
            return True


def describe_exit(code: int) -> str:
    """Return `exit status 3` or `killed by SIGKILL` for an exit code as `subprocess` gives it."""
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has a number and no name
        return f"killed by signal {-code}"


def wait_gone(processes: Iterable[ProcessIdentity], timeout: float) -> list[ProcessIdentity]:
    """Wait until these processes have ended and return those that have not, after `timeout`."""
    deadline = time.monotonic() + timeout
    watched: dict[int, ProcessIdentity] = {}
    unwatched: list[ProcessIdentity] = []
    with ExitStack() as stack:
        for process in processes:
            handle = stack.enter_context(_handle(process.pid))
            if handle is None:
                unwatched.append(process)
            elif process.alive:
                watched[handle] = process
        while True:
            unwatched = [process for process in unwatched if process.alive]
            left = deadline - time.monotonic()
            if left <= 0 or not (watched or unwatched):
                return sorted([*watched.values(), *unwatched])
            for handle in _ready(watched, min(left, _POLL_INTERVAL_S) if unwatched else left):
                del watched[handle]


def end_processes(processes: Iterable[ProcessIdentity], grace: float) -> list[ProcessIdentity]:
    """End exactly these processes and return those that survived even SIGKILL.

    Args:
        processes: Whom to end.
        grace: Seconds between SIGTERM and SIGKILL; with 0 SIGKILL comes at once.
    """
    known = _without_us(frozenset(processes))
    return _end(known, known, lambda members: members, grace)


def end_tree(root: ProcessIdentity, grace: float) -> list[ProcessIdentity]:
    """End a process and all that descend from it; return those that survived even SIGKILL.

    What left the tree before this call, because its parent ended and it made its own session, is
    for `end_marked` to find.
    """
    return end_trees([root], grace)


def end_trees(
    roots: Iterable[ProcessIdentity], grace: float, *, roots_first: bool = False
) -> list[ProcessIdentity]:
    """End several trees within one grace.

    Args:
        roots: Their roots. One whose pid is not its own any more is left out.
        grace: Seconds between SIGTERM and SIGKILL; with 0 SIGKILL comes at once.
        roots_first: Ask only the roots to end, so that each can end its own children in its own
            order; what they leave is killed.
    """
    found = frozenset(root for root in roots if ProcessIdentity.of(root.pid) == root)
    if not found:
        return []
    known = _with_relatives(found)
    return _end(known, found if roots_first else known, _with_relatives, grace)


def end_left_behind(leader: ProcessIdentity) -> list[ProcessIdentity]:
    """Kill what a session leader that ended just now left in its session; return what survived.

    To be called at the leader's end: once a session is empty, its number may come to name another.
    """
    known = _with_relatives(frozenset([leader]))
    return _end(known, known, _with_relatives, grace=0)


def end_marked(
    name: str, value: str, grace: float, *, but: frozenset[int] = frozenset()
) -> list[ProcessIdentity]:
    """End every process started with this environment variable; return those that survived.

    This finds what no tree shows any more: processes that were re-parented or made their own
    session. Those whose environment we may not read are left alone.

    Args:
        name: The variable.
        value: Its value.
        grace: Seconds between SIGTERM and SIGKILL; with 0 SIGKILL comes at once.
        but: Pids that are not looked at, where every look counts: those of processes that were
            there before the first one was marked.
    """

    def grow(known: frozenset[ProcessIdentity]) -> frozenset[ProcessIdentity]:
        return known | marked(name, value, but)

    known = grow(frozenset())
    return _end(known, known, grow, grace)


def end_tree_and_marked(
    root: ProcessIdentity, name: str, value: str, grace: float, *, root_last: bool = False
) -> list[ProcessIdentity]:
    """End, within one grace, what `end_tree` finds and what `end_marked` finds.

    Args:
        root: The root of the tree.
        name: The variable that marks processes.
        value: Its value.
        grace: Seconds between SIGTERM and SIGKILL; with 0 SIGKILL comes at once.
        root_last: Ask all but the root to end: with it, all others would end at once.
    """

    def grow(known: frozenset[ProcessIdentity]) -> frozenset[ProcessIdentity]:
        return _with_relatives(known | marked(name, value))

    known = grow(frozenset([root]))
    return _end(known, known - {root} if root_last else known, grow, grace)


def relatives(
    known: frozenset[ProcessIdentity], table: Mapping[int, Entry]
) -> frozenset[ProcessIdentity]:
    """Return the known processes with their descendants and the members of their sessions.

    A child whose parent ended is no descendant any more, but it keeps its session, and no process
    gets the session's number as its pid as long as that has members.
    """
    pids = {process.pid for process in known if _not_reused(process, table)}
    found = set(known)
    while True:
        fresh = {
            pid
            for pid, entry in table.items()
            if pid not in pids and (entry.parent in pids or entry.session in pids)
        }
        if not fresh:
            return frozenset(found)
        pids |= fresh
        found |= {ProcessIdentity(pid, table[pid].created) for pid in fresh}


def _not_reused(process: ProcessIdentity, table: Mapping[int, Entry]) -> bool:
    entry = table.get(process.pid)
    return entry is None or entry.created == process.created


def _with_relatives(known: frozenset[ProcessIdentity]) -> frozenset[ProcessIdentity]:
    source = _source()
    table = {pid: entry for pid in source.pids() if (entry := source.entry(pid))}
    return _without_us(relatives(known, table))


def children(parent: int) -> frozenset[ProcessIdentity]:
    """Return the children of the process with this pid, those too that nobody has waited for."""
    source = _source()
    entries = ((pid, source.entry(pid)) for pid in source.children(parent))
    return frozenset(
        ProcessIdentity(pid, entry.created)
        for pid, entry in entries
        if entry is not None and entry.parent == parent
    )


def parent_of(pid: int) -> int | None:
    """Return the parent of the process with this pid; None if there is no such process."""
    entry = _source().entry(pid)
    return None if entry is None else entry.parent


def running() -> frozenset[int]:
    """Return the pids of all processes that there are."""
    return frozenset(_source().pids())


def marked(name: str, value: str, but: frozenset[int] = frozenset()) -> frozenset[ProcessIdentity]:
    """Return every live process but ourselves that was started with this environment variable.

    Args:
        name: The variable.
        value: Its value.
        but: Pids that are not looked at.
    """
    source = _source()
    pids = [pid for pid in source.pids() if pid not in but and source.marked(pid, name, value)]
    found = (ProcessIdentity.of(pid) for pid in pids)
    return _without_us(frozenset(process for process in found if process and process.alive))


def _without_us(processes: frozenset[ProcessIdentity]) -> frozenset[ProcessIdentity]:
    return frozenset(process for process in processes if process.pid != os.getpid())


def _end(
    known: frozenset[ProcessIdentity],
    asked: frozenset[ProcessIdentity],
    grow: _Grow,
    grace: float,
) -> list[ProcessIdentity]:
    if grace > 0:
        for process in asked:
            process.send(signal.SIGTERM)
            # A stopped process takes its SIGTERM when it runs again.
            process.send(signal.SIGCONT)
        wait_gone(asked, grace)
    return _kill(known, grow)


def _kill(known: frozenset[ProcessIdentity], grow: _Grow) -> list[ProcessIdentity]:
    for _ in range(_ROUNDS):
        known = _freeze(known, grow)
        alive = [process for process in known if process.alive]
        for process in alive:
            process.send(signal.SIGKILL)
        survivors = wait_gone(alive, KILL_TIMEOUT_S)
        if survivors or not alive:
            return survivors
    return sorted(process for process in grow(known) if process.alive)


def _freeze(known: frozenset[ProcessIdentity], grow: _Grow) -> frozenset[ProcessIdentity]:
    # A process that forks faster than we look can outrun SIGKILL; a stopped one cannot fork. So
    # everything is stopped until nothing new appears, and only then killed.
    frozen: set[ProcessIdentity] = set()
    for _ in range(_ROUNDS):
        known = grow(known)
        fresh = {process for process in known - frozen if process.alive}
        if not fresh:
            break
        for process in fresh:
            process.send(signal.SIGSTOP)
        frozen |= fresh
    return known


@contextmanager
def _handle(pid: int) -> Iterator[int | None]:
    """Yield a descriptor that stands for the process and becomes readable when it ends."""
    try:
        handle = os.pidfd_open(pid)
    except (AttributeError, OSError):  # not Linux; no such process; forbidden by a sandbox
        yield None
        return
    try:
        yield handle
    finally:
        os.close(handle)


def _ready(handles: Iterable[int], seconds: float) -> list[int]:
    poller = select.poll()
    for handle in handles:
        poller.register(handle, select.POLLIN)
    return [handle for handle, _ in poller.poll(math.ceil(seconds * 1000))]


def _source() -> Source:
    return PROCFS if os.path.exists("/proc/self/stat") else PSUTIL  # noqa: PTH110 - a hot path
