"""A run in a process of its own session, which outlives the shell and the terminal it came from."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: What the run prints, in its folder.
OUTPUT = "output.txt"
#: File descriptors that may have come from a shell: a pipe among them must not wait for the run.
_MOST_DESCRIPTORS = 1024


class Start(NamedTuple):
    """How a run in the background has started.

    Args:
        run_id: Its id; empty where it ended without having begun.
        status: Its exit status then.
        output: What it printed then.
    """

    run_id: str
    status: int = 0
    output: str = ""


def in_background(run: Callable[[Callable[[str, Path], object]], int]) -> Start:
    """Have a copy of this process do a run; return when that has begun, or ended without a run.

    The copy never returns: it ends with the run's status, or with what the run raises. Called while
    the process has one thread.

    Args:
        run: Does the run and returns its status; it calls its argument with the run's id and folder
            when the run has begun.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    with tempfile.TemporaryFile() as said:
        pid = os.fork()
        if pid == 0:
            raise SystemExit(run(_Copy(writer, said).begun))
        os.close(writer)
        with os.fdopen(reader, encoding="ascii") as pipe:
            run_id = pipe.read().strip()
        if run_id:
            return Start(run_id)
        _, ended = os.waitpid(pid, 0)
        status = os.waitstatus_to_exitcode(ended)
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
        return Start("", status if status >= 0 else 128 - status, text)


class _Copy:
    """The process that does the run."""

    def __init__(self, writer: int, said: BinaryIO) -> None:
        self._writer = writer
        self._said = said.fileno()
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (self._said, 1), (self._said, 2)):
            os.dup2(source, target)
        kept = sorted((self._writer, self._said))
        for start, end in zip((2, *kept), (*kept, _MOST_DESCRIPTORS), strict=True):
            os.closerange(start + 1, end)

    def begun(self, run_id: str, folder: Path) -> None:
        """Have all that is printed from now on be in the run's folder, and say its id."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        output = os.open(folder / OUTPUT, flags, 0o600)
        sys.stdout.flush()
        sys.stderr.flush()
        with contextlib.suppress(OSError):
            os.write(output, os.pread(self._said, 1 << 20, 0))
        for target in (1, 2):
            os.dup2(output, target)
        os.close(output)
        os.write(self._writer, f"{run_id}\n".encode())
        os.close(self._writer)
