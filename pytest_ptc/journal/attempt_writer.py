"""One attempt's records and report, as the coordinator writes them.

Records that were written here count even if the files change: the writer keeps them in memory, so
that an agent that truncates, edits or removes a file of its attempt changes nothing. A changed file
is written again.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import threading
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.journal.attempt_files import (
    MAX_HASHED_BYTES,
    MAX_RECORD_BYTES,
    MAX_RECORDS_BYTES,
    OUTPUT,
    PROMPT,
    RECORDS,
    REPORT,
    TASK,
    TRANSCRIPT,
    failing_output_line,
    journal_errors,
    last_lines,
)
from pytest_ptc.journal.seals import sealed
from pytest_ptc.system import own_files
from pytest_ptc.system.regular_files import read_regular
from pytest_ptc.verdicts.entries import Entry, Recording, entry_to_json, story_of

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from pytest_ptc.model.result import Attempt, AttemptReport
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.text.redaction import Redactor
    from pytest_ptc.verdicts.endings import Ended
    from pytest_ptc.verdicts.recording import Record


class Filed(NamedTuple):
    """A report as it is on disk, and the hash of its file."""

    value: dict[str, Any]
    sha256: str


class AttemptWriter:
    """Writes one attempt's files. Its methods may be called from any thread.

    Args:
        folder: The attempt's folder; `open` makes it.
        seal: The key of the seals.
        redactor: Keeps secrets out of what is written.

    Raises:
        JournalError: From `open`, `put` and `file`: it cannot be written.
    """

    def __init__(self, folder: Path, seal: str, redactor: Redactor) -> None:
        self.folder = folder
        self._seal = seal
        self.redactor = redactor
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        #: The lines of the records file as they must be on disk.
        self._lines: list[bytes] = []
        self._size = 0
        #: How often the records file had to be written again because it was changed.
        self.restored = 0

    def __repr__(self) -> str:
        return f"<AttemptWriter {self.folder} {len(self._entries)} entries>"

    def open(self, attempt: Attempt, spec: TaskSpec) -> None:
        """Make the folder, and write the task."""
        task = {
            "task": attempt.task_id,
            "attempt": attempt.number,
            "worker": attempt.worker,
            "spec": self.redactor.json(spec.to_json()),
        }
        with journal_errors(self.folder):
            self.folder.mkdir(mode=0o700)
            # Not synced: before the agent began there is no record to lose.
            own_files.write_new(self.folder / TASK, json.dumps(task).encode("ascii"))
            # Created here, so that a file that is missing later was removed.
            os.close(own_files.open_for_append(self.folder / RECORDS))

    def put(self, entry: Entry) -> None:
        """Write an entry, and return when it is synced."""
        value = self.redactor.json(entry_to_json(entry))
        if isinstance(entry, Recording) and entry.record.verdict is not None:
            # The data was checked before it was redacted; redacted data may not match the schema.
            data = entry.record.verdict.data
            value["data_redacted"] = self.redactor.json(data, free=True) != data
        line = f"\n{json.dumps(sealed(value, self._seal))}".encode()
        with self._lock, journal_errors(self.folder / RECORDS):
            if len(line) > MAX_RECORD_BYTES or self._size + len(line) > MAX_RECORDS_BYTES:
                raise OSError(errno.EFBIG, "it would be longer than records may be")
            self._append(line)
            self._lines.append(line)
            self._size += len(line)
            self._entries.append(entry)

    def story(self) -> tuple[list[Record], Ended | None]:
        """Return the records that count, and how the agent's program ended, if known."""
        return story_of(tuple(self._entries))

    def file(self, report: AttemptReport) -> Filed:
        """Write the report, and return it as it is on disk."""
        value = self.redactor.json(report.to_json())
        with self._lock, journal_errors(self.folder):
            # If that fails, the hash in the report shows that the records were changed.
            with contextlib.suppress(OSError):
                self._restore()
            if self.restored:
                value["about"]["foreign_records"] = self.restored
            value["files"] = self._hashes()
            content = json.dumps(sealed(value, self._seal)).encode("ascii")
            # A file of that name is not ours: only this method writes reports.
            own_files.link_new(self.folder / REPORT, content, over=True)
        return Filed(value, hashlib.sha256(content).hexdigest())

    def tail(self) -> str:
        """Return the last lines of what the agent printed."""
        return last_lines(self.folder)

    def failing_line(self) -> str | None:
        """Return the first line of a program's output that says fail; None if there is none."""
        return failing_output_line(self.folder)

    def _append(self, line: bytes) -> None:
        if not self._is_intact():
            self._replace(b"".join([*self._lines, line]))
            return
        file = own_files.open_for_append(self.folder / RECORDS, create=False)
        try:
            # On a full disk, back to the old size: an incomplete line would spoil the next one.
            if os.write(file, line) < len(line):
                os.ftruncate(file, self._size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file)
        finally:
            os.close(file)

    def _is_intact(self) -> bool:
        """Tell whether the records are a regular file of the expected size."""
        try:
            file = own_files.open_for_append(self.folder / RECORDS, create=False)
        except OSError:
            return False
        try:
            return os.fstat(file).st_size == self._size
        finally:
            os.close(file)

    def _restore(self) -> None:
        """Write the records again, if the file was changed."""
        expected = b"".join(self._lines)
        try:
            content = read_regular(self.folder / RECORDS, MAX_RECORDS_BYTES)
        except OSError:
            content = None
        if content != expected:
            self._replace(expected)

    def _replace(self, content: bytes) -> None:
        self.restored += 1
        own_files.link_new(self.folder / RECORDS, content, over=True)

    def _hashes(self) -> dict[str, str]:
        """Return the SHA-256 of every file of the attempt besides the report."""
        hashes = {}
        for name in (OUTPUT, PROMPT, TASK, TRANSCRIPT):
            with contextlib.suppress(OSError):
                hashes[name] = own_files.sha256(self.folder / name, MAX_HASHED_BYTES)
        return {**hashes, RECORDS: hashlib.sha256(b"".join(self._lines)).hexdigest()}
