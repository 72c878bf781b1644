"""Files and JSON that somebody else may have written, read so that they cannot do harm.

An agent, a checkout or another account may put anything where a file of ours belongs: a FIFO that
blocks whoever opens it, a link, a device, two hundred megabytes, a hundred thousand brackets. What
is read through here is a regular file of bounded size, or an error that says why not.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path


def read_regular(path: Path, max_bytes: int) -> bytes:
    """Return the content of a regular file.

    Never blocks on a FIFO or a device, and follows no link in the last part of the path.

    Raises:
        OSError: There is no such file (FileNotFoundError), or it is no regular file, is longer
            than `max_bytes`, or cannot be read; `strerror` says which.
    """
    with open_regular(path, max_bytes) as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(None, f"is longer than {max_bytes} bytes", str(path))
    return content


def open_regular(path: Path, max_bytes: int) -> BinaryIO:
    """Open a regular file to be read piece by piece; the caller closes it.

    Never blocks on a FIFO or a device, and follows no link in the last part of the path.

    Raises:
        OSError: As `read_regular`; that the file is too long is said by its size as it is now.
    """
    # O_NONBLOCK: opening a FIFO for reading waits for a writer otherwise.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    if (problem := _unfit(os.fstat(descriptor), max_bytes)) is not None:
        os.close(descriptor)
        raise OSError(None, problem, str(path))
    return os.fdopen(descriptor, "rb")


def _unfit(seen: os.stat_result, max_bytes: int) -> str | None:
    if not stat.S_ISREG(seen.st_mode):
        return "is not a regular file"
    return f"is longer than {max_bytes} bytes" if seen.st_size > max_bytes else None
