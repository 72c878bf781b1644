"""The system's table of processes, as Linux has it in `/proc`, and as psutil has it elsewhere."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: How often, and after how many seconds, we look again for the mark of a process that is just
#: being replaced by `exec`: for that moment the system shows no environment of it. It takes some
#: milliseconds where the processors are busy.
_EXEC_LOOKS, _EXEC_PAUSE = 50, 0.001

#: How often the lists of a process's children are read until two reads are the same.
_LIST_LOOKS = 10

#: Bytes that are read at once: a process's row takes some hundred, its environment some thousand.
_BLOCK_BYTES = 32 * 1024


class Entry(NamedTuple):
    """One row of the system's table of processes."""

    parent: int
    session: int
    created: float
    ended: bool


class Source(NamedTuple):
    """Where the table of processes is read; a process that cannot be read is not there."""

    pids: Callable[[], list[int]]
    entry: Callable[[int], Entry | None]
    marked: Callable[[int, str, str], bool]
    #: The pids of a process's children, and of others where the system cannot tell.
    children: Callable[[int], Iterable[int]]


def _procfs_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - a hot path


def _procfs_entry(pid: int) -> Entry | None:
    try:
        line = _content(f"/proc/{pid}/stat")
    except OSError:
        return None
    # proc_pid_stat(5): the second field is the program's name in parentheses and may hold anything,
    # the third is the state, so that index 0 here is field 3. Field 22, the start, counts from the
    # boot: unlike psutil's `create_time`, it stays the same when the clock is set.
    fields = line.rpartition(b")")[2].split()
    return Entry(
        parent=int(fields[1]),
        session=int(fields[3]),
        created=float(fields[19]),
        ended=fields[0] in (b"Z", b"X"),
    )


def _procfs_marked(pid: int, name: str, value: str) -> bool:
    for _ in range(_EXEC_LOOKS):
        try:
            block = _content(f"/proc/{pid}/environ")
        except OSError:
            return False
        if block or not _procfs_may_have_more(pid):
            return os.fsencode(f"{name}={value}") in block.split(b"\0")
        time.sleep(_EXEC_PAUSE)
    return False


def _procfs_may_have_more(pid: int) -> bool:
    """Tell whether a process that shows no environment is just being replaced by `exec`."""
    try:
        line = _content(f"/proc/{pid}/stat")
    except OSError:
        return False
    fields = line.rpartition(b")")[2].split()
    state, session, data, start, end = fields[0], fields[3], fields[42], fields[47], fields[48]
    # The kernel's own threads are in no session. An empty environment begins where it ends. While
    # the kernel lays out the new program it has written none of the environment's limits, or both
    # the same; where the program's data begins is written last.
    replaced = end == b"0" or data == b"0" or start != end
    return state not in (b"Z", b"X") and session != b"0" and replaced


def _procfs_children(parent: int) -> Iterable[int]:
    """Return the pids in the kernel's own lists; those of all processes where it has none."""
    before = None
    for _ in range(_LIST_LOOKS):
        found = _listed_children(parent)
        if found is None:
            break
        # A thread that ends hands its children over to another one, whose list we may have read.
        if found == before:
            return found
        before = found
    return _procfs_pids()


def _listed_children(parent: int) -> set[int] | None:
    """Return what the lists of a process's threads hold; None for one without a list."""
    found: set[int] = set()
    read = 0
    try:
        threads = os.listdir(f"/proc/{parent}/task")  # noqa: PTH208 - a hot path
    except OSError:
        return None
    for thread in threads:
        # One of a thread that has just ended is not there.
        with contextlib.suppress(OSError):
            found.update(map(int, _content(f"/proc/{parent}/task/{thread}/children").split()))
            read += 1
    return found if read else None


def _content(path: str) -> bytes:
    """Return a file of `/proc`, which are read so often that `Path.read_bytes` is too slow."""
    blocks = []
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while block := os.read(file, _BLOCK_BYTES):
            blocks.append(block)
    finally:
        os.close(file)
    return b"".join(blocks)


def _psutil_pids() -> list[int]:
    return list(_psutil().pids())


def _psutil_entry(pid: int) -> Entry | None:
    psutil = _psutil()
    try:
        process = psutil.Process(pid)
        ended = process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        return Entry(process.ppid(), os.getsid(pid), process.create_time(), ended)
    except (psutil.Error, OSError, ValueError):  # ValueError: a pid below 0
        return None


def _psutil_marked(pid: int, name: str, value: str) -> bool:
    psutil = _psutil()
    try:
        return bool(psutil.Process(pid).environ().get(name) == value)
    except (psutil.Error, OSError):
        return False


def _psutil() -> Any:
    import psutil  # noqa: PLC0415 - up to 70 ms that Linux need not pay

    return psutil


PROCFS = Source(_procfs_pids, _procfs_entry, _procfs_marked, _procfs_children)
PSUTIL = Source(_psutil_pids, _psutil_entry, _psutil_marked, lambda _: _psutil_pids())
