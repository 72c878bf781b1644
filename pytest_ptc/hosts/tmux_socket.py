"""Where tmux has a server's socket, and why it cannot have one there."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Longest path of a Unix socket, in bytes, without the NUL at its end.
LONGEST_PATH = 103 if sys.platform == "darwin" else 107


def socket_place(name: str, environ: Mapping[str, str], uid: int) -> str:
    """Return where `tmux -L name` has its socket.

    Args:
        name: The socket's name.
        environ: Where `TMUX_TMPDIR` is, if it is set; one that does not exist tmux passes over.
        uid: The user's number.
    """
    wished = environ.get("TMUX_TMPDIR")
    folder = wished if wished and os.path.exists(wished) else "/tmp"  # noqa: S108, PTH110 - as tmux
    return f"{os.path.realpath(folder)}/tmux-{uid}/{name}"


def socket_problem(name: str, environ: Mapping[str, str], uid: int) -> str | None:
    """Return why tmux cannot have its socket there, with the fix; None if it can."""
    place = socket_place(name, environ, uid)
    folder = os.path.dirname(place)  # noqa: PTH120 - a text, as all here
    top = os.path.dirname(folder)  # noqa: PTH120
    problem = _too_long(place) or _unusable(top) or _unsafe(folder, uid)
    if problem is None:
        return None
    return f"tmux cannot make its socket {place}: {problem}"


def _too_long(place: str) -> str | None:
    length = len(os.fsencode(place))
    if length <= LONGEST_PATH:
        return None
    return (
        f"its path is too long, {length} bytes of at most {LONGEST_PATH}; set TMUX_TMPDIR to a "
        "directory with a shorter path"
    )


def _unusable(folder: str) -> str | None:
    if not os.path.isdir(folder):  # noqa: PTH112
        return f"{folder} is not a directory; set TMUX_TMPDIR to one, or unset it"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder} cannot be written; set TMUX_TMPDIR to a directory of your own"
    return None


def _unsafe(folder: str, uid: int) -> str | None:
    """Return why tmux refuses the folder of the user's sockets, which it makes if it is missing."""
    try:
        seen = os.lstat(folder)
    except OSError:
        return None
    if not stat.S_ISDIR(seen.st_mode):
        return f"{folder} is not a directory; move it away, or set TMUX_TMPDIR to another place"
    if seen.st_uid != uid:
        return f"{folder} belongs to another user; set TMUX_TMPDIR to a directory of your own"
    if seen.st_mode & stat.S_IRWXO or not seen.st_mode & stat.S_IWUSR:
        return f"{folder} has permissions that tmux refuses; run: chmod 700 {folder}"
    return None
