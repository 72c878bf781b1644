"""Files of ours in a folder where an agent may write too: written without following it anywhere.

An agent that may run programs can put a link to somebody's file, a FIFO, a device or a directory
where a file of ours belongs, and can put a link where the folder was. Nothing here opens such a
thing in a way that blocks, writes through it, or removes what is in it: what stands in the way is
moved aside, below a name that begins with a dot.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from typing import TYPE_CHECKING

from pytest_ptc.system.regular_files import read_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def open_for_append(path: Path, *, create: bool = True) -> int:
    """Return a descriptor that appends to a regular file.

    Args:
        path: The file.
        create: Whether it is made if it is missing.

    Raises:
        OSError: Something else stands there, or the folder is none; `strerror` says which.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    flags |= os.O_CREAT if create else 0
    with _folder(path.parent) as folder:
        descriptor = os.open(path.name, flags, 0o600, dir_fd=folder)
    seen = os.fstat(descriptor)
    if stat.S_ISREG(seen.st_mode) and seen.st_nlink == 1:
        return descriptor
    os.close(descriptor)
    if stat.S_ISREG(seen.st_mode):
        # What is appended here would be appended there.
        raise OSError(None, f"{path.name} has a second name, which may be somebody's", str(path))
    raise OSError(None, f"{path.name} is not a regular file", str(path))


def open_new(path: Path) -> int:
    """Return a descriptor that writes a new, empty file at this place, whatever was there before.

    Raises:
        OSError: It cannot be made, or the folder is none.
    """
    with _folder(path.parent) as folder:
        beside = _beside(path.name)
        descriptor = _create(beside, folder)
        try:
            _put(beside, path.name, folder)
        except BaseException:
            os.close(descriptor)
            os.unlink(beside, dir_fd=folder)
            raise
    return descriptor


def write_new(path: Path, content: bytes) -> None:
    """Put a file with this content at this place, whatever was there before.

    Raises:
        OSError: As `open_new`, or it cannot be written.
    """
    with os.fdopen(open_new(path), "wb") as file:
        file.write(content)


def link_new(path: Path, content: bytes, *, over: bool = False) -> None:
    """Put a synced file at this place, so that a reader sees all of it or nothing.

    Args:
        path: The place.
        content: The file's content.
        over: Whether what is there is moved aside.

    Raises:
        FileExistsError: Something is there, and `over` is not given.
        OSError: It cannot be written, or the folder is none.
    """
    with _folder(path.parent) as folder:
        beside = _beside(path.name)
        try:
            with os.fdopen(_create(beside, folder), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if over:
                _put(beside, path.name, folder)
            else:
                # A link, not a rename: the first one that is put there is the one that stays.
                os.link(beside, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside, dir_fd=folder)


def read_end(path: Path, max_bytes: int) -> bytes:
    """Return the last bytes of a regular file, at most so many.

    Raises:
        OSError: There is no such file, or it is no regular one, or cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(None, "is not a regular file", str(path))
    with os.fdopen(descriptor, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - max_bytes))
        return file.read(max_bytes)


def sha256(path: Path, max_bytes: int) -> str:
    """Return the hash of a regular file.

    Raises:
        OSError: As `read_regular`.
    """
    return hashlib.sha256(read_regular(path, max_bytes)).hexdigest()


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[int]:
    """Open a folder that is one itself, and no link to one."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _create(name: str, folder: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, 0o600, dir_fd=folder)


def _put(beside: str, name: str, folder: int) -> None:
    try:
        os.replace(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
    except IsADirectoryError:
        os.rename(name, _beside(name), src_dir_fd=folder, dst_dir_fd=folder)
        os.replace(beside, name, src_dir_fd=folder, dst_dir_fd=folder)


def _beside(name: str) -> str:
    return f".{name}.{os.urandom(8).hex()}"
