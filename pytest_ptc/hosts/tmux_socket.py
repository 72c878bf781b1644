"""The path of a tmux server's socket, and why tmux cannot make it."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Longest path of a Unix socket, in bytes, without the NUL at its end.
MAX_PATH_BYTES = 103 if sys.platform == "darwin" else 107


def socket_place(name: str, environ: Mapping[str, str], uid: int) -> str:
    """Return the path of the socket of `tmux -L name`.

    Args:
        name: The socket's name.
        environ: May have `TMUX_TMPDIR`; tmux ignores a directory that does not exist.
        uid: The user id.
    """
    configured = environ.get("TMUX_TMPDIR")
    folder = configured if configured and os.path.exists(configured) else "/tmp"  # noqa: S108, PTH110 - as tmux
    return f"{os.path.realpath(folder)}/tmux-{uid}/{name}"


def socket_problem(name: str, environ: Mapping[str, str], uid: int) -> str | None:
    """Return why tmux cannot make its socket, with the fix; None if it can."""
    place = socket_place(name, environ, uid)
    folder = os.path.dirname(place)  # noqa: PTH120 - a text, as all here
    top = os.path.dirname(folder)  # noqa: PTH120
    problem = _length_problem(place) or _directory_problem(top) or _permission_problem(folder, uid)
    if problem is None:
        return None
    return f"tmux cannot make its socket {place}: {problem}"


def _length_problem(place: str) -> str | None:
    length = len(os.fsencode(place))
    if length <= MAX_PATH_BYTES:
        return None
    return (
        f"its path is too long, {length} bytes of at most {MAX_PATH_BYTES}; set TMUX_TMPDIR to a "
        "directory with a shorter path"
    )


def _directory_problem(folder: str) -> str | None:
    if not os.path.isdir(folder):  # noqa: PTH112
        return f"{folder} is not a directory; set TMUX_TMPDIR to one, or unset it"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder} cannot be written; set TMUX_TMPDIR to a directory of your own"
    return None


def _permission_problem(folder: str, uid: int) -> str | None:
    """Return why tmux refuses the folder of the user's sockets; it makes a missing one itself."""
    try:
        status = os.lstat(folder)
    except OSError:
        return None
    if not stat.S_ISDIR(status.st_mode):
        return f"{folder} is not a directory; move it away, or set TMUX_TMPDIR to another place"
    if status.st_uid != uid:
        return f"{folder} belongs to another user; set TMUX_TMPDIR to a directory of your own"
    if status.st_mode & stat.S_IRWXO or not status.st_mode & stat.S_IWUSR:
        return f"{folder} has permissions that tmux refuses; run: chmod 700 {folder}"
    return None
