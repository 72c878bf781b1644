"""Who is at the other end of a Unix socket, as the system itself knows it.

A key or a token can be read from another process of the same user; where a process comes from
cannot be told otherwise than it is. Only Linux is asked: elsewhere a process that has lost its
parent belongs to nobody, and keys and tokens alone decide.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from typing import TYPE_CHECKING

from pytest_ptc.system.processes import parent_of

if TYPE_CHECKING:
    import asyncio

#: struct ucred of unix(7): process, user and group, as they were when it connected.
_UCRED = struct.Struct("3i")
#: How often a line of ancestors is read again that broke off: one of them has just ended.
_READS = 3


def peer_pid(writer: asyncio.StreamWriter) -> int | None:
    """Return the process that has connected; 0 for one out of sight, None where nobody knows."""
    connection = writer.get_extra_info("socket")
    if not sys.platform.startswith("linux") or connection is None:
        return None
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    except OSError:
        return 0
    pid: int = _UCRED.unpack(raw)[0]
    return pid


def descends(pid: int, root: int) -> bool:
    """Tell whether a process is `root`, or one that descends from it."""
    return any(root in _line(pid) for _ in range(_READS))


def _line(pid: int) -> list[int]:
    """Return a process and its ancestors, as far as they can be seen."""
    line: list[int] = []
    at: int | None = pid
    while at and at not in line:
        line.append(at)
        at = parent_of(at)
    return line


def is_ours(writer: asyncio.StreamWriter) -> bool:
    """Tell whether who has connected is this process, or descends from it, or cannot be known."""
    pid = peer_pid(writer)
    return pid is None or descends(pid, os.getpid())
