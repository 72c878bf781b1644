"""The files that an attempt's worker writes on its node, carried to the journal while they grow.

What is carried before a worker ends is all that is left of it if its node is lost.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_ptc.journal.attempt_files import MAX_HASHED_BYTES, OUTPUT, PROMPT, TRANSCRIPT
from pytest_ptc.remote.frame_kinds import File
from pytest_ptc.system.regular_files import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: The files, in the order in which they are carried: the output is read with the others in sight.
CARRIED = (PROMPT, TRANSCRIPT, OUTPUT)
#: Bytes of a file in one frame.
PART_BYTES = 512 * 1024


class CarriedFiles:
    """One attempt's files on its node, and how much of each has been carried.

    Args:
        attempt: The attempt.
        folder: Its folder on the node.
        worker: The worker that it was given to.
    """

    def __init__(self, attempt: str, folder: Path, worker: str) -> None:
        self.worker = worker
        self._attempt = attempt
        self._folder = folder
        #: Of each file, its inode and how many of its bytes have been carried.
        self._carried: dict[str, tuple[int, int]] = {}

    def __repr__(self) -> str:
        return f"<CarriedFiles {self._attempt} {self._carried}>"

    def new_parts(self) -> Iterator[File]:
        """Yield what has been written and was not yielded yet."""
        for name in CARRIED:
            try:
                yield from self._parts_of(name)
            except OSError:
                # Not there yet, or an agent has put something else in its place.
                continue

    def _parts_of(self, name: str) -> Iterator[File]:
        with open_regular(self._folder / name, MAX_HASHED_BYTES) as file:
            seen = os.fstat(file.fileno())
            inode, at = self._carried.get(name, (None, 0))
            if inode != seen.st_ino or seen.st_size < at:
                # Another file: it is carried anew, from its start. An empty file is one, too.
                at = 0
                self._carried[name] = seen.st_ino, at
                yield File(self._attempt, name, at, b"")
            file.seek(at)
            # An agent may write faster than is carried: what there is now, and no more.
            while at < seen.st_size and (data := file.read(min(PART_BYTES, seen.st_size - at))):
                # Noted before: whoever takes it may not come back.
                self._carried[name] = seen.st_ino, at + len(data)
                yield File(self._attempt, name, at, data)
                at += len(data)


def write_part(folder: Path, part: File) -> None:
    """Write a part that was carried into an attempt's folder in the journal.

    Raises:
        OSError: It cannot be written.
        ValueError: It is no part of a file that is carried.
    """
    if part.name not in CARRIED or not 0 <= part.at <= MAX_HASHED_BYTES:
        raise ValueError(f"{part.name!r} at {part.at} is not carried")
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    file = os.open(folder / part.name, flags, 0o600)
    try:
        if part.at == 0:
            os.ftruncate(file, 0)
        os.pwrite(file, part.data, part.at)
    finally:
        os.close(file)
