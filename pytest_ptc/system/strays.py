"""Processes that have left the tree of the program that started them, ended with it.

A process whose parent has ended becomes a child of the system's first process, and nothing tells
any more who started it: its session and its environment may be its own. On Linux a worker takes the
place of the first process for all that descends from it, so that whatever an agent leaves becomes
the worker's child. Elsewhere, and where the worker itself is killed, only sessions and marks in
the environment lead to what is left.
"""

from __future__ import annotations

import contextlib
import os
import sys

from pytest_ptc.system.processes import ProcessIdentity, children, end_trees

#: PR_SET_CHILD_SUBREAPER of prctl(2).
_SET_CHILD_SUBREAPER = 36
#: PR_SET_DUMPABLE of prctl(2).
_SET_DUMPABLE = 4
#: How often we look again for what an ended process has left.
_ROUNDS = 10

#: What was there when this process began to adopt; None until then.
_before: frozenset[ProcessIdentity] | None = None
#: What agents have started for several tasks: a worker may have several agents.
_kept: set[ProcessIdentity] = set()


def adopt_orphans() -> bool:
    """Become the parent of all that descends from this process, from here on; tell whether so."""
    global _before  # noqa: PLW0603 - it is the process that adopts, and there is one
    if not sys.platform.startswith("linux"):
        return False
    done = _prctl(_SET_CHILD_SUBREAPER, 1)
    if done:
        _before = children(os.getpid())
    return done


def forbid_inspection() -> bool:
    """Keep other processes of this user out of this one's memory and environment; tell whether so.

    What it starts can be inspected as ever. Root's processes are not kept out.
    """
    return sys.platform.startswith("linux") and _prctl(_SET_DUMPABLE, 0)


def _prctl(option: int, value: int) -> bool:
    import ctypes  # noqa: PLC0415 - for workers alone

    try:
        done: bool = ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) == 0
    except (OSError, AttributeError):  # a C library of another kind
        return False
    return done


def keep_children() -> None:
    """Keep what there is now when strays are ended: clients that wait for the next task."""
    _kept.update(children(os.getpid()))


def end_strays(*, but: frozenset[int]) -> list[ProcessIdentity]:
    """Kill every child that this process has adopted, with its tree, and reap it.

    Does nothing in a process that adopts none.

    Args:
        but: Pids of children that this process has started itself: they stay.

    Returns:
        What survived even SIGKILL.
    """
    if _before is None:
        return []
    survivors: list[ProcessIdentity] = []
    for _ in range(_ROUNDS):
        # What these leave is adopted, too: it is there at the next look.
        strays = [
            child
            for child in children(os.getpid())
            if child.pid not in but
            and child not in _before
            and child not in _kept
            and child not in survivors
        ]
        if not strays:
            break
        survivors += end_trees([stray for stray in strays if stray.alive], grace=0.0)
        for stray in strays:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(stray.pid, os.WNOHANG)
    return survivors
