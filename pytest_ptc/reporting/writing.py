"""Where reports are written, so that nothing that a checkout brings decides it.

The text under review may bring links: for a report itself, or for a folder on the way to it. A link
in a report's place is replaced by the report, and a folder that leads out of the project is
refused. Devices such as `/dev/stdout` are the user's own choice and are written to; nothing is
waited for that nobody reads.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import select
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import ReportError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds that whoever reads a pipe has to take the next bytes of a report.
PIPE_TIMEOUT_S = 10.0

#: Characters that are encoded at once.
_PART_CHARS = 1 << 20
#: Not to follow a link in the last part of a path; Windows has no such flag.
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
#: Not to wait for somebody who opens the other end of a FIFO.
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_FOLDER = getattr(os, "O_DIRECTORY", 0) | _NO_LINK


def write_report(path: Path, text: str, *, base: Path) -> None:
    """Write a file, its directories with it: all of it, or what was there stays.

    Args:
        path: The file, or a device below `/dev`, or a FIFO that somebody reads.
        text: What is to be in it.
        base: The project's top directory: a path in it must not lead out of it by a link.

    Raises:
        ReportError: A link leads out of the project, or nobody reads.
        OSError: It cannot be written.
    """
    kind = _kind(path)
    if kind is not None and stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if _is_device(path) or (kind is not None and not stat.S_ISREG(kind) and not stat.S_ISLNK(kind)):
        _write_through(path, b"".join(_encoded(text)))
        return
    with _opened(_real_folder(path, base)) as folder:
        beside = f".ptc-report-{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK
        try:
            # The rights of any new file: the user's umask decides.
            with os.fdopen(os.open(beside, flags, 0o666, dir_fd=folder), "wb") as file:
                file.writelines(_encoded(text))
            os.replace(beside, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(beside, dir_fd=folder)


def _encoded(text: str) -> Iterator[bytes]:
    """Yield a text in UTF-8, a part at a time: it may be tens of megabytes."""
    for start in range(0, len(text), _PART_CHARS):
        yield text[start : start + _PART_CHARS].encode(errors="backslashreplace")


def remove_stale(path: Path, *, base: Path) -> None:
    """Remove a report that is there before the run is: it is not this run's.

    A pipeline would upload it as this run's where pytest is killed, and a checkout may have brought
    it. What cannot be removed is found when the report is written.
    """
    kind = _kind(path)
    if kind is None or _is_device(path) or not (stat.S_ISREG(kind) or stat.S_ISLNK(kind)):
        return
    with contextlib.suppress(OSError, ReportError), _opened(_real_folder(path, base)) as folder:
        os.unlink(path.name, dir_fd=folder)


@contextlib.contextmanager
def opened_to_append(path: Path, *, base: Path) -> Iterator[int]:
    """Give the descriptor of a regular file whose end is written to; it is made if it is missing.

    Raises:
        ReportError: It is a link or no regular file, or a link on the way leads out of the project.
        OSError: It cannot be written.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NO_LINK | _NO_WAIT
    with _opened(_real_folder(path, base)) as folder:
        try:
            file = os.open(path.name, flags, 0o666, dir_fd=folder)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise ReportError(f"{path}: is a link; nothing is written through it") from None
            raise
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise ReportError(f"{path}: is not a regular file")
            yield file
        finally:
            os.close(file)


def real_place(path: Path) -> Path:
    """Return where a report comes to lie: two paths may name one file."""
    return Path(os.path.realpath(path.parent), path.name)


def _kind(path: Path) -> int | None:
    try:
        return path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_device(path: Path) -> bool:
    # `/dev/stdout` is a link to whatever standard output is.
    return path.absolute().parts[:2] == ("/", "dev") and ".." not in path.parts


def _real_folder(path: Path, base: Path) -> Path:
    """Return the folder of a path without links, which is made if it is missing.

    Raises:
        ReportError: The path is in the project as it is written, and not as it leads.
    """
    folder = path.absolute().parent
    real, top = Path(os.path.realpath(folder)), Path(os.path.realpath(base))
    steps = [*reversed(folder.parents), folder]
    inside = any(Path(os.path.realpath(step)).is_relative_to(top) for step in steps)
    if inside and not real.is_relative_to(top):
        raise ReportError(
            f"{path}: a link on the way leads out of {top}, to {real}; name a path without links"
        )
    real.mkdir(parents=True, exist_ok=True)
    return real


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | _FOLDER)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write_through(path: Path, content: bytes) -> None:
    """Write to a device or a FIFO that is being read.

    Raises:
        ReportError: Nobody reads, or nobody reads on.
        OSError: It cannot be written.
    """
    try:
        file = os.open(path, os.O_WRONLY | _NO_WAIT)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise ReportError(f"{path}: nobody reads it; name a file") from None
        raise
    try:
        rest = memoryview(content)
        until = time.monotonic() + PIPE_TIMEOUT_S
        while rest:
            with contextlib.suppress(BlockingIOError):
                rest = rest[os.write(file, rest) :]
                until = time.monotonic() + PIPE_TIMEOUT_S
                continue
            if not select.select([], [file], [], max(0.0, until - time.monotonic()))[1]:
                raise ReportError(f"{path}: its reader has read nothing for {PIPE_TIMEOUT_S:g} s")
    finally:
        os.close(file)
