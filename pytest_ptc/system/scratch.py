"""A run's scratch folder: made with a mark in it, and removed only where that mark is found.

What is told of a scratch folder may be wrong. So one is removed if it is where such folders are
made, a directory of this user's that nobody else can enter, and holds the mark of the very run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from pytest_ptc.model.errors import ConfigError
from pytest_ptc.system.regular_files import read_regular

#: How the name of a run's scratch folder begins.
SCRATCH_PREFIX = "ptc-"
#: The file in it that holds the run's id.
MARK = "run-id"

#: Longest path of a Unix socket, in bytes, on all systems we run on (macOS has 104 with the NUL).
MAX_ADDRESS_BYTES = 100
#: The longest path of a socket below a temporary folder: Claude Code's, named after its process.
LONGEST_SOCKET = "/ptc-xxxxxxxx/cc-socks/4194304.sock"


def make_scratch(run_id: str) -> Path:
    """Make a private folder of a run, whose path is short enough for sockets in it.

    Raises:
        ConfigError: There is no such place.
    """
    for place in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp makes it private
        if len(os.fsencode(place)) + len(LONGEST_SOCKET) <= MAX_ADDRESS_BYTES:
            try:
                made = Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX, dir=place))
                (made / MARK).write_text(run_id, encoding="utf-8")
            except OSError:
                continue
            return made
    raise ConfigError("no writable temporary folder with a short path; set TMPDIR=/tmp")


def is_scratch_place(path: Path) -> bool:
    """Tell whether this is the path of a scratch folder: one of its name in a temporary folder."""
    temporary = {tempfile.gettempdir(), os.environ.get("TMPDIR") or "/tmp", "/tmp", "/var/tmp"}  # noqa: S108
    parents = {os.path.realpath(place) for place in temporary}
    named = path.name.startswith(SCRATCH_PREFIX) and ".." not in path.parts
    return named and path.is_absolute() and os.path.realpath(path.parent) in parents


def not_our_scratch(path: Path, run_id: str) -> str | None:
    """Return why a path that is there is not this run's scratch folder; None if it is."""
    if not is_scratch_place(path):
        return "is not directly in a temporary folder"
    try:
        seen = path.lstat()
        if not stat.S_ISDIR(seen.st_mode):
            return "is not a directory"
        if seen.st_uid != os.geteuid():
            return "belongs to another user"
        if seen.st_mode & 0o077:
            return "can be entered by others"
        mark = read_regular(path / MARK, 1000).decode("utf-8", "replace")
    except OSError as error:
        return f"does not have the run's mark: {error.strerror or error}"
    return None if mark == run_id else "is of another run"


def remove_scratch(path: Path, run_id: str) -> str | None:
    """Remove a run's scratch folder; return why it was left, if it was.

    The mark goes last: of several workers that remove the folder of a killed pytest, and of clients
    that still write into it, the last one has to find the mark. Folders go first: whoever comes
    after a removal that was cut short finds the files that say whose all of it was.
    """
    if not os.path.lexists(path):
        return None
    if (why := not_our_scratch(path, run_id)) is not None:
        # Another one of the run's processes has removed it meanwhile.
        return why if os.path.lexists(path) else None
    with contextlib.suppress(OSError):
        for entry in sorted(path.iterdir(), key=lambda entry: not entry.is_dir()):
            if entry.name != MARK:
                _remove(entry)
        if [entry.name for entry in path.iterdir()] == [MARK]:
            shutil.rmtree(path, ignore_errors=True)
    return "cannot be removed" if path.exists() else None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
