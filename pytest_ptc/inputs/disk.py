"""What lies at a path, as one line of text that changes with its content.

Nothing here trusts git's index or a cache on disk: the bytes are read, and read again whenever the
file's inode, size or one of its times is another. What is no regular file is named, never opened.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import time
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.errors import PtcError

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

#: Bytes that are read in one round: of a repository, and of what its tasks name besides.
MAX_BYTES = 2 * 1024**3
#: A file that was written within so many nanoseconds is read again each time: the clock of some
#: file systems has steps of two seconds, and two writes within one step look like one.
RACY_NS = 2_100_000_000

_CHUNK_BYTES = 1024 * 1024
_STAT = struct.Struct("=QQqqI")


class TooMuchError(PtcError):
    """There is more than can be looked at; the message says what, and how much that is."""


class UnreadableError(PtcError):
    """Something cannot be read; the message names it and says why."""


class Seen(NamedTuple):
    """What was found at a path.

    Args:
        text: Its kind and content; equal in every run and every checkout that has the same.
        stat: Inode, size, times and mode; another one after every write, also after one that puts
            the old content back.
    """

    text: str
    stat: bytes


class Disk:
    """Looks at paths; what was read once is not read again while its stat is the same.

    For one thread at a time.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, ...], Seen]] = {}
        self._left = MAX_BYTES

    def __repr__(self) -> str:
        return f"<Disk knows {len(self._known)} files>"

    def begin(self) -> None:
        """Begin a round: as many bytes as `MAX_BYTES` may be read until the next."""
        self._left = MAX_BYTES

    def look(self, path: str) -> Seen | None:
        """Return what lies at a path, a link as the link that it is; None if there is nothing.

        Raises:
            UnreadableError: It is there, and cannot be read.
            TooMuchError: The round has no bytes left for it.
        """
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise UnreadableError(f"{path!r} cannot be read: {_words(error)}") from error
        signature = (
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
            status.st_mode,
        )
        known = self._known.get(path)
        if known is not None and known[0] == signature:
            return known[1]
        now = time.time_ns()
        text = self._text(path, status)
        if text is None:
            return None
        seen = Seen(text, _STAT.pack(*signature))
        if max(status.st_mtime_ns, status.st_ctime_ns) < now - RACY_NS:
            self._known[path] = (signature, seen)
        else:
            self._known.pop(path, None)
        return seen

    def _text(self, path: str, status: os.stat_result) -> str | None:
        try:
            if stat.S_ISREG(status.st_mode):
                # Of the mode git has the owner's bit alone: others differ with a user's umask.
                kind = "program" if status.st_mode & stat.S_IXUSR else "file"
                return f"{kind} {self._digest(path)}"
            if stat.S_ISLNK(status.st_mode):
                return f"link {_hash(os.fsencode(os.readlink(path)))}"
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise UnreadableError(f"{path!r} cannot be read: {_words(error)}") from error
        return kind_of(status.st_mode)

    def _digest(self, path: str) -> str:
        # Something else may have come to the place since it was looked at.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(None, "is not a regular file any more")
            if status.st_size > self._left:
                raise TooMuchError(f"more than {MAX_BYTES} bytes, at {path!r}")
            sha256 = hashlib.sha256()
            while piece := file.read(_CHUNK_BYTES):
                self._left -= len(piece)
                if self._left < 0:
                    raise TooMuchError(f"more than {MAX_BYTES} bytes, at {path!r}")
                sha256.update(piece)
        return sha256.hexdigest()


def kind_of(mode: int) -> str:
    """Return what a file is that is neither regular nor a link."""
    kinds = {
        stat.S_IFDIR: "directory",
        stat.S_IFIFO: "FIFO",
        stat.S_IFSOCK: "socket",
        stat.S_IFBLK: "device",
        stat.S_IFCHR: "device",
    }
    return kinds.get(stat.S_IFMT(mode), "unknown")


def below(
    folder: str,
    most: int,
    names: frozenset[str] = frozenset(),
    *,
    leave: Container[str] = (),
    hidden: bool = True,
) -> Iterator[str]:
    """Yield the paths of everything below a directory but directories; no link is followed.

    Args:
        folder: The directory.
        most: How many entries may be come across, directories too.
        names: Names of directories to leave out.
        leave: Paths of directories to leave out.
        hidden: Whether to look into directories whose name begins with a dot.

    Raises:
        TooMuchError: There are more.
        UnreadableError: A directory cannot be read.
    """
    count = 0
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(place) as entries:
                some = list(islice(entries, most + 1))
                listed = [(entry, entry.is_dir(follow_symlinks=False)) for entry in some]
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise UnreadableError(f"{place!r} cannot be read: {_words(error)}") from error
        count += len(listed)
        if count > most:
            raise TooMuchError(f"more than {most} files below {folder!r}")
        for entry, is_folder in sorted(listed, key=lambda pair: pair[0].name):
            if not is_folder:
                yield entry.path
            elif (
                entry.name not in names
                and entry.path not in leave
                and (hidden or not entry.name.startswith("."))
            ):
                waiting.append(entry.path)


def combined(lines: Iterable[str]) -> str:
    """Return one hash of texts, which may hold any bytes that file names do."""
    return _hash("\n".join(lines).encode("utf-8", "surrogateescape"))


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _words(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)
