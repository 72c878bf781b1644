"""Directories that nodes have at the same path: whether they are the same there.

    blob = described(top, ours)  # on pytest's machine; blocks
    check_shared(blob)           # on a node, before it has a task; blocks; CodeError says why not

A disk that both see is known by the times at which its files came to be as they are, to the
nanosecond: no copy has those. What changes on such a disk in mid-run changes for all. A copy, as in
the image of a container, must have the same files with the same content, and in a repository the
same commit and index.
"""

from __future__ import annotations

import os
import stat
import zlib
from typing import TYPE_CHECKING

import msgspec

from pytest_ptc.inputs.disk import Disk, below, combined
from pytest_ptc.inputs.trees import COMMIT, GIT_LIST_TIMEOUT_S, UNTRACKED, changes
from pytest_ptc.model.errors import GitError, PtcError
from pytest_ptc.remote.code_format import CodeError
from pytest_ptc.system.git.command import git
from pytest_ptc.system.patterns import MADE_BY_TOOLS
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Files whose times are compared, and how many of them must be the same: some may have changed.
_SAMPLES = 32
_SAME_SHARE = 0.5
#: Bytes of a file whose content is compared; of a larger one, its size is.
_MAX_CONTENT_BYTES = 4 * 1024**2
#: Most files that are named when they differ, and most whose list is sent so that they can be.
_MAX_NAMES = 5
_MAX_LISTED = 20_000
_MAX_FILES = 1_000_000
_GITLINK = "160000"


class SharedDirectory(msgspec.Struct, frozen=True, kw_only=True):
    """A directory as pytest's machine sees it.

    Args:
        top: Where it is, here and there.
        samples: Names, sizes and change times in nanoseconds of some of its files.
        hash: What changes with its content.
        entries: Its files, a line each, compressed; empty where there are too many.
    """

    top: bytes
    samples: list[tuple[bytes, int, int]]
    hash: str
    entries: bytes


def described(top: str, ours: Callable[[str], bool] = lambda _: False) -> bytes:
    """Return what a node compares its directory with.

    Args:
        top: The directory; absolute.
        ours: Tells whether a path is one that this run writes itself.

    Raises:
        PtcError: Git refuses, or something cannot be read.
    """
    entries = _entries(top, ours)
    names = sorted(name for name in entries if name != COMMIT)
    step = max(1, len(names) // _SAMPLES)
    lines = b"\0".join(os.fsencode(f"{name}\n{text}") for name, text in sorted(entries.items()))
    return msgspec.msgpack.encode(
        SharedDirectory(
            top=os.fsencode(top),
            samples=[found for name in names[::step] if (found := _sample(top, name)) is not None],
            hash=_hash(entries),
            entries=zlib.compress(lines) if len(entries) <= _MAX_LISTED else b"",
        )
    )


def check_shared(blob: bytes) -> str:
    """Return the path of a directory that is the same here.

    Raises:
        CodeError: It is not there, or is another one; the message says what differs.
    """
    try:
        there = msgspec.msgpack.decode(blob, type=SharedDirectory)
    except (msgspec.MsgspecError, ValueError) as error:
        raise CodeError(f"what has come is no directory: {error}") from error
    top = os.fsdecode(there.top)
    fix = "mount it at this path, or have it sent by ptc_dask_code=ship"
    if not os.path.isdir(top) or not os.access(top, os.R_OK | os.X_OK):
        raise CodeError(f"there is no {top} here that can be read; {fix}")
    if _is_same_disk(there, top):
        return top
    try:
        entries = _entries(top, lambda _: False)
    except PtcError as error:
        raise CodeError(f"{top} cannot be compared with that of pytest: {error}") from error
    if _hash(entries) == there.hash:
        return top
    differs = ""
    if there.entries:
        # Files that pytest's run writes itself are in no list of its.
        known = zlib.decompress(there.entries).split(b"\0")
        then = dict(os.fsdecode(line).partition("\n")[::2] for line in known if line)
        lines = list(changes(then, entries))
        more = f" and {len(lines) - _MAX_NAMES} more" if len(lines) > _MAX_NAMES else ""
        differs = f" ({printable(', '.join(lines[:_MAX_NAMES]))}{more})"
    raise CodeError(f"{top} is not what it is on pytest's machine{differs}; {fix}")


def _is_same_disk(there: SharedDirectory, top: str) -> bool:
    if not there.samples:
        return False
    same = sum(_sample(top, os.fsdecode(name)) == (name, *rest) for name, *rest in there.samples)
    return same > _SAME_SHARE * len(there.samples)


def _sample(top: str, name: str) -> tuple[bytes, int, int] | None:
    try:
        seen = os.lstat(f"{top}/{name}")
    except OSError:
        return None
    if not stat.S_ISREG(seen.st_mode):
        return None
    return os.fsencode(name), seen.st_size, seen.st_ctime_ns


def _hash(entries: Mapping[str, str]) -> str:
    return combined(f"{name!r} {text}" for name, text in sorted(entries.items()))


def _entries(top: str, ours: Callable[[str], bool]) -> dict[str, str]:
    """Return one line of text for each file, by its name from the top."""
    disk = Disk()
    disk.begin()
    if not os.path.lexists(f"{top}/.git"):
        names = (os.path.relpath(path, top) for path in below(top, _MAX_FILES, MADE_BY_TOOLS))
        return {
            name: f"{UNTRACKED} {_text(disk, f'{top}/{name}')}"
            for name in names
            if not ours(f"{top}/{name}")
        }
    return _of_git(top, ours, disk)


def _of_git(top: str, ours: Callable[[str], bool], disk: Disk) -> dict[str, str]:
    """Return the files that git would take; of those that are as in the index, the index's hash."""
    found = {COMMIT: _head(top)}
    changed = {name for name in git(top, "diff", "--name-only", "-z").split("\0") if name}
    for entry in git(top, "ls-files", "--stage", "-z", patience=GIT_LIST_TIMEOUT_S).split("\0"):
        mark, _, name = entry.partition("\t")
        path = f"{top}/{name}"
        if not name:
            continue
        found[name] = f"{found[name]}, {mark}" if name in found else mark
        if mark.startswith(_GITLINK) and os.path.lexists(f"{path}/.git"):
            found |= {f"{name}/{inner}": text for inner, text in _of_git(path, ours, disk).items()}
        elif name in changed:
            found[name] += f" {_text(disk, path)}"
    words = ("ls-files", "--others", "--exclude-standard", "-z")
    for entry in git(top, *words, patience=GIT_LIST_TIMEOUT_S).split("\0"):
        name = entry.rstrip("/")
        path = f"{top}/{name}"
        if not name or ours(path):
            continue
        if entry.endswith("/") and os.path.lexists(f"{path}/.git"):
            found |= {f"{name}/{inner}": text for inner, text in _of_git(path, ours, disk).items()}
        else:
            found[name] = f"{UNTRACKED} {_text(disk, path)}"
    return found


def _text(disk: Disk, path: str) -> str:
    try:
        seen = os.lstat(path)
    except OSError:
        return "absent"
    if stat.S_ISREG(seen.st_mode) and seen.st_size > _MAX_CONTENT_BYTES:
        return f"file of {seen.st_size} bytes"
    found = disk.look(path)
    return "absent" if found is None else found.text


def _head(top: str) -> str:
    try:
        return git(top, "rev-parse", "--verify", "--quiet", "HEAD").strip()
    except GitError:
        return "none"  # before the first commit
