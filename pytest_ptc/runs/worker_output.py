"""What a worker shows, as its files in the journal have it, on every host: read and never written.

A worker without a screen prints to its log. One that has a screen leaves there nothing, and the
same lines are in the output of its attempts.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from pytest_ptc.system.regular_files import open_regular
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from pathlib import Path

#: The longest file that is followed, and the most of it that is shown at a time, in bytes.
_MAX_FILE_BYTES = 1 << 32
_MAX_PIECE_BYTES = 64 * 1024


class WorkerOutput:
    """A worker's output, a piece after the other.

    Args:
        folder: The run's folder.
        worker: The worker's name.
    """

    def __init__(self, folder: Path, worker: str) -> None:
        self._folder = folder
        self._log = folder / "workers" / worker / "output.log"
        self._read: dict[Path, int] = {}
        self._attempt: str | None = None

    def new_lines(self, attempt: str | None) -> list[str]:
        """Return the whole lines that are new since the last call, printable.

        Args:
            attempt: The attempt that the worker is on; None while it is on none.
        """
        if self._log.exists():
            return self._new(self._log)
        lines = []
        # The end of the attempt before it may be new, too.
        for one in dict.fromkeys((self._attempt, attempt)):
            if one is not None:
                new = self._new(self._folder / "attempts" / one / "output.log")
                head = [f"attempt {one}"] if one != self._attempt else []
                lines += [*head, *new]
        self._attempt = attempt or self._attempt
        return lines

    def _new(self, path: Path) -> list[str]:
        with contextlib.suppress(OSError), open_regular(path, _MAX_FILE_BYTES) as file:
            size = os.fstat(file.fileno()).st_size
            start = self._read.get(path)
            if start is None:
                start = max(0, size - _MAX_PIECE_BYTES)
            file.seek(start)
            piece = file.read(_MAX_PIECE_BYTES)
            whole = piece.rpartition(b"\n")[0]
            if whole:
                self._read[path] = start + len(whole) + 1
            elif len(piece) == _MAX_PIECE_BYTES:
                whole, self._read[path] = piece, start + len(piece)
            return [printable(line) for line in whole.decode("utf-8", "replace").splitlines()]
        return []


def terminal_size() -> tuple[int, int]:
    """Return the columns and rows of standard output; 80 and 24 where nobody knows."""
    try:
        size = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):
        return 80, 24
    return size.columns or 80, size.lines or 24
