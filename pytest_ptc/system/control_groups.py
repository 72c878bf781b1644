"""Groups of processes that nothing can leave unseen: cgroups (version 2), where we may make some.

What a worker has started is found by its tree, its session, or its mark. A process without any of
these becomes its worker's child, and ends with the attempt; but if the worker itself is killed,
nothing leads to it any more. Its group does. The kernel lets users make groups below one that they
were given, as systemd does for what runs below `user@.service`; elsewhere there are none.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path

#: Names of our groups: a run's id and a worker's name.
_OURS = re.compile(r"ptc-\d{8}-\d{6}-[0-9a-f]{7}-w\d{1,9}")
#: Seconds that the kernel may take to end a group.
_END_TIMEOUT_S = 2.0
_PAUSE_S = 0.005


def make_group(run_id: str, worker: str) -> Path | None:
    """Make a worker's group below our own; None where we may not."""
    try:
        base = _own_group()
        if base is None:
            return None
        _remove_empty(base)
        group = base / f"ptc-{run_id}-{worker}"
        group.mkdir(exist_ok=True)
        if not (group / "cgroup.kill").exists():  # a kernel before 5.14
            group.rmdir()
            return None
    except OSError:
        return None
    return group


def join_group(group: Path) -> bool:
    """Have this process, and all that it will start, be in a group; tell whether it is."""
    try:
        (group / "cgroup.procs").write_text(str(os.getpid()))
    except OSError:
        return False
    return True


def end_group(group: Path) -> bool:
    """Kill all that is in a group, and remove it; tell whether it is gone."""
    with contextlib.suppress(OSError):
        (group / "cgroup.kill").write_text("1")
    give_up = time.monotonic() + _END_TIMEOUT_S
    while True:
        try:
            group.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            if time.monotonic() > give_up:
                return False
            time.sleep(_PAUSE_S)
        else:
            return True


def _own_group() -> Path | None:
    """Return the folder of the group that this process is in; None where there is none."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    own = next((line[3:] for line in lines if line.startswith("0::")), None)
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    place = next((words[1] for words in mounts if words[2] == "cgroup2"), None)
    if own is None or place is None:
        return None
    group = Path(place + own)
    return group if os.access(group, os.W_OK) else None


def _remove_empty(base: Path) -> None:
    """Remove groups that killed runs have left; one with a process in it cannot be removed."""
    for entry in base.iterdir():
        if _OURS.fullmatch(entry.name):
            with contextlib.suppress(OSError):
                entry.rmdir()
