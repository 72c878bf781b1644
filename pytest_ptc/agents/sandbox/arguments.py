"""The words that start a program in bubblewrap, from what is to be seen in it. Pure.

A sandbox begins empty. Each mount adds a place to it, and a deeper one covers what lies above it.
Nobody can rename a mount away, but somebody could the folders above one: so each folder between a
writable place and a mount below it is a mount of its own.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


class Access(Enum):
    """What an agent can do with a place."""

    #: It is as outside, and cannot be changed.
    READ = "read"
    #: It is as outside, and can be changed.
    WRITE = "write"
    #: It is empty at first, of bounded size, and gone with the sandbox.
    SCRATCH = "scratch"
    #: It is empty, and stays so.
    HIDDEN = "hidden"
    #: It is a link, as outside.
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Mount:
    """One place in a sandbox.

    Args:
        path: Its path, absolute and normal, inside; and outside, unless `source` says otherwise.
        access: What can be done with it.
        source: Its path outside; of a link, what it leads to.
    """

    path: str
    access: Access
    source: str = ""


#: Namespaces of its own that every sandbox has.
_UNSHARED = ("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts")
#: It ends with its worker, has no terminal of it, and no capabilities.
_STRICT = ("--die-with-parent", "--new-session", "--cap-drop", "ALL")
#: The size of what is hidden: nobody writes there.
_HIDDEN_BYTES = 65536


def bwrap_words(
    program: str, mounts: Iterable[Mount], *, cwd: str, network: bool, scratch_bytes: int
) -> tuple[str, ...]:
    """Return the words before a program's own that have it run in a sandbox.

    Args:
        program: The path of bubblewrap.
        mounts: What is to be seen; of two of one path the later one counts.
        cwd: The directory that the program starts in.
        network: Whether it has the network; else it has a loopback interface of its own.
        scratch_bytes: The size of each scratch place.
    """
    placed = placed_mounts(mounts)
    words = [program, *_UNSHARED]
    if not network:
        words.append("--unshare-net")
    words += [*_STRICT, "--proc", "/proc", "--dev", "/dev"]
    words += ["--size", str(scratch_bytes), "--tmpfs", "/dev/shm"]  # noqa: S108 - inside
    for mount in placed:
        words += _words_of(mount, scratch_bytes)
    # Last: until then mounts below them are made.
    hidden = [mount.path for mount in placed if mount.access is Access.HIDDEN]
    for path in (*hidden, "/dev", "/"):
        words += ["--remount-ro", path]
    return (*words, "--chdir", cwd, "--")


def placed_mounts(mounts: Iterable[Mount]) -> list[Mount]:
    """Return the mounts that are needed, in the order in which they are made."""
    chosen: dict[str, Mount] = {}
    # From the top down: what covers a mount is decided before it.
    for mount in sorted({mount.path: mount for mount in mounts}.values(), key=_depth):
        if _is_needed(mount, _covering(mount.path, chosen)):
            chosen[mount.path] = mount
    for path in list(chosen):
        for between in _between(path, chosen):
            chosen[between] = Mount(between, Access.WRITE)
    return sorted(chosen.values(), key=_depth)


def _depth(mount: Mount) -> tuple[int, str]:
    return (0 if mount.path == "/" else mount.path.count("/"), mount.path)


def _is_needed(mount: Mount, covering: Mount | None) -> bool:
    """Tell whether a mount shows or hides what its covering one does not."""
    bound = covering is not None and covering.access in (Access.READ, Access.WRITE)
    if mount.access is Access.HIDDEN:
        return bound
    if bound and (mount.access is Access.LINK or mount.source):
        # The link that it stands for is there itself.
        return False
    return not (mount.access is Access.READ and _reads(covering))


def _reads(mount: Mount | None) -> bool:
    return mount is not None and mount.access is Access.READ and not mount.source


def _words_of(mount: Mount, scratch_bytes: int) -> Sequence[str]:
    source = mount.source or mount.path
    match mount.access:
        case Access.READ:
            return ("--ro-bind", source, mount.path)
        case Access.WRITE:
            return ("--bind", source, mount.path)
        case Access.LINK:
            return ("--symlink", source, mount.path)
        case Access.SCRATCH:
            return ("--size", str(scratch_bytes), "--tmpfs", mount.path)
        case Access.HIDDEN:
            return ("--size", str(_HIDDEN_BYTES), "--tmpfs", mount.path)


def _above(path: str) -> Iterator[str]:
    """Yield the folders above a path, the nearest first."""
    while (parent := posixpath.dirname(path)) != path:
        yield parent
        path = parent


def _covering(path: str, mounts: Mapping[str, Mount]) -> Mount | None:
    """Return the mount that a path would be in, without its own."""
    return next((mounts[above] for above in _above(path) if above in mounts), None)


def _between(path: str, mounts: Mapping[str, Mount]) -> list[str]:
    """Return the folders between a mount and the writable place that it is in."""
    covering = _covering(path, mounts)
    if covering is None or covering.access is not Access.WRITE or covering.source:
        return []
    above = list(_above(path))
    return above[: above.index(covering.path)]
