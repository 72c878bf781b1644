"""Task files and `.highwatermark` on disk: whole reads, and writes that nobody sees half of.

Claude Code 2.1.197 writes in place and readers take no lock, so a read can find a file empty or cut
off; such a read is repeated for a moment before the file counts as broken. Our own writes go to a
temporary name and are renamed, so a reader finds the old file or the new one. They are not synced
to disk: the list is a view of the run, its truth is the journal.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import TaskListError
from pytest_ptc.system.regular_files import read_regular
from pytest_ptc.tasklist.task_format import leading_number, parse, render

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ptc.tasklist.locks import Clock
    from pytest_ptc.tasklist.task_format import TaskRecord

#: Where Claude Code keeps the largest id that was ever deleted.
MARK_FILE = ".highwatermark"

#: Temporary files are named `.ptc-<file>-<random>.tmp`. They must not end with `.json`, which would
#: make them tasks.
_PREFIX, _SUFFIX = ".ptc-", ".tmp"

#: The longest files that are read, in bytes; Claude Code's own tasks have a few kB.
MAX_TASK_BYTES = 32 * 1024 * 1024
MAX_MARK_BYTES = 1024

#: Seconds for which an unreadable file may be one that is just being written.
_TORN_TIMEOUT_S = 0.25
_TORN_PAUSE_S = 0.005


def read_task(path: Path, clock: Clock) -> TaskRecord | None:
    """Return the task in this file, or None if there is no such file.

    Raises:
        TaskListError: The file is no task, and stays so.
    """
    give_up = clock.monotonic() + _TORN_TIMEOUT_S
    while True:
        try:
            # Whatever somebody has put there: a FIFO or a directory is no task, and a link is none.
            data = read_regular(path, MAX_TASK_BYTES)
        except FileNotFoundError:
            return None
        try:
            return parse(data, str(path))
        except TaskListError:
            if clock.monotonic() >= give_up:
                raise
        clock.sleep(_TORN_PAUSE_S)


def write_task(path: Path, record: TaskRecord) -> None:
    """Write a task's file, whole."""
    _write_whole(path, render(record))


def read_mark(directory: Path, clock: Clock) -> int:
    """Return what `.highwatermark` says, 0 where it says nothing."""
    give_up = clock.monotonic() + _TORN_TIMEOUT_S
    while True:
        try:
            found = read_regular(directory / MARK_FILE, MAX_MARK_BYTES)
        except OSError:
            return 0  # there is none, or what is there can be none
        text = found.decode(errors="replace").strip()
        # Claude Code takes text that is no number for 0, and so do we in the end.
        if text[:1].isdigit() or clock.monotonic() >= give_up:
            return leading_number(text)
        clock.sleep(_TORN_PAUSE_S)


def raise_mark(directory: Path, number: int, clock: Clock) -> None:
    """Make `.highwatermark` at least this number; it is never lowered."""
    if number > read_mark(directory, clock):
        # A directory in its place holds no mark, and cannot be replaced by one.
        with suppress(IsADirectoryError):
            _write_whole(directory / MARK_FILE, str(number).encode())


def written_by(name: str) -> str | None:
    """Return the name of the file that a temporary file was to become, None if it is none.

    Ours are `.ptc-<file>-<random>.tmp`, those of Claude Code 2.1.330 `<file>.tmp.<random>`.
    """
    if name.startswith(_PREFIX) and name.endswith(_SUFFIX):
        return name[len(_PREFIX) : -len(_SUFFIX)].rpartition("-")[0]
    file, cut, _ = name.partition(".tmp.")
    return file if cut and file.endswith(".json") else None


def _write_whole(path: Path, data: bytes) -> None:
    temporary = f"{path.parent}/{_PREFIX}{path.name}-{secrets.token_hex(8)}{_SUFFIX}"
    # 0600: a task's description is a prompt, which may be private.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        _write_and_close(descriptor, data)
        os.replace(temporary, path)  # noqa: PTH105 - `Path` would cost as much as the system call
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108 - a text, see above
        raise


def _write_and_close(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)
