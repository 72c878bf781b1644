"""Which machine this is, and what a process of it was started as.

A process id means something within one boot of one machine, and there within one container: a
journal that was carried elsewhere must not be taken for one about the processes here.
"""

from __future__ import annotations

import os
import time
from pathlib import Path


def boot_id() -> str | None:
    """Return what tells this boot of this machine from every other; None where nothing does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None


def process_space() -> str | None:
    """Return what tells containers apart that see different processes; None where nothing does."""
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - it is no path
    except OSError:
        return None


def processors() -> int:
    """Return how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def arguments_of(pid: int) -> list[str] | None:
    """Return the command line of a process; None where it has ended or may not be looked at."""
    if os.path.exists("/proc/self/cmdline"):  # noqa: PTH110 - as in `processes.py`
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return None
        return [os.fsdecode(word) for word in line.split(b"\0")]
    import psutil  # noqa: PLC0415 - Linux does without

    try:
        return list(psutil.Process(pid).cmdline())
    except (psutil.Error, OSError):
        return None


def lease_clock() -> float:
    """Return seconds on a clock that goes on while this machine sleeps, where it has one."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)  # Linux
    return time.monotonic() if clock is None else time.clock_gettime(clock)
