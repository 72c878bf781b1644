"""The run's record on disk; the shared list is only a view of it.

On disk, below pytest's cache directory, readable by the user alone:

    runs/<run id>/
      journal.jsonl         the run's story, one event a line; written by pytest alone, and sealed
      bin/                  the commands that agents find on their PATH
      workers/<worker>/     what a worker was started with, and its log where its host has no screen
      attempts/<task>.<n>/  one attempt; written by the coordinator until its worker has it
        task.json           what was asked: prompt, parameters, every setting
        prompt.txt          the text that the agent got
        output.log          what the agent printed, or its screen at the end
        transcript.jsonl    what agent `claude` said, called and was told, one event a line
        records.jsonl       verdicts as the agent recorded them, one a line, only ever appended
        report.json         how the attempt ended, and the hashes of the files beside it

Every file has one writer at a time, so nothing is locked. Values of environment variables that look
like secrets are in none of them. The attempt's folder is in `attempt_files.py`.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pytest_ptc.journal.attempt_files import journal_errors
from pytest_ptc.journal.attempt_writer import AttemptWriter
from pytest_ptc.journal.events import event_to_json
from pytest_ptc.journal.lines import STORY
from pytest_ptc.journal.seals import RunKey
from pytest_ptc.model.variables import ATTEMPT_TOKEN
from pytest_ptc.text.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_ptc.journal.events import Event
    from pytest_ptc.model.result import Attempt
    from pytest_ptc.model.task import TaskSpec


class Journal:
    """One run's folder, as the coordinator writes it.

    Args:
        runs: The folder that holds all runs' folders.
        run_id: The run's id.
        key: The user's key, with which the story and every attempt are sealed.
        redactor: Keeps secrets out of what is written.
        clock: Seconds since the epoch, for the `at` of every event.

    Raises:
        JournalError: The folder cannot be made; from any method but `append`, it cannot be written.
    """

    def __init__(
        self,
        runs: Path,
        run_id: str,
        *,
        key: bytes,
        redactor: Redactor | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder = runs / run_id
        self.run_id = run_id
        self.redactor = redactor or Redactor()
        #: The first error in writing events, if any.
        self.problem: str | None = None
        self.key = RunKey(key, run_id)
        self._clock = clock
        # Pytest's thread writes events, too, and a signal may interrupt it in the middle of one.
        self._lock = threading.Lock()
        #: Bytes of all whole lines, and the code of the last one.
        self._end, self._code = 0, self.key.start
        self._written: tuple[int, bytes] | None = None
        self._lost = 0
        with journal_errors(self.folder):
            private_folder(runs)
            self.folder.mkdir(mode=0o700)
            (self.folder / "workers").mkdir(mode=0o700)
            (self.folder / "attempts").mkdir(mode=0o700)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            # An explicit mode: other users must not be able to write, whatever the umask.
            descriptor = os.open(self.folder / STORY, flags, 0o600)
            self._events = os.fdopen(descriptor, "ab", buffering=0)

    def __repr__(self) -> str:
        return f"<Journal {self.folder}>"

    def append(self, event: Event) -> None:
        """Append an event, with the time that it is.

        On a full disk the story is incomplete, but the run goes on: verdicts are in the attempts'
        own folders.
        """
        fields = self.redactor.json(event_to_json(replace(event, at=round(self._clock(), 6))))
        with self._lock:
            self._lost += 1
            try:
                self._repair()
                if self._lost > 1:
                    fields["lost_before"] = self._lost - 1
                line, code = self.key.line(fields, self._code)
                self._written = self._end + len(line) + 1, code
                if self._events.write(line + b"\n") == len(line) + 1:
                    (self._end, self._code), self._lost = self._written, 0
                else:
                    self.problem = self.problem or "it has no room for all events"
            except OSError as error:
                self.problem = self.problem or error.strerror or str(error)

    def _repair(self) -> None:
        """Truncate the file to the last whole line, which the next line's seal covers."""
        size = os.fstat(self._events.fileno()).st_size
        if size == self._end:
            return
        if self._written is not None and size == self._written[0]:
            # A signal came after the write and before `_end` was set.
            self._end, self._code = self._written
            self._lost -= 1
            return
        self._events.truncate(self._end)

    def worker_folder(self, worker: str) -> Path:
        """Return the folder of a worker, made where it is not there yet."""
        folder = self.folder / "workers" / worker
        with journal_errors(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def token(self, attempt: Attempt) -> str:
        """Return the token that identifies this attempt to its worker."""
        return self.key.token(attempt.name)

    def open_attempt(self, attempt: Attempt, spec: TaskSpec) -> AttemptWriter:
        """Make an attempt's folder with its task, and return the writer of its records."""
        redactor = self.redactor.plus({**spec.env, ATTEMPT_TOKEN: self.token(attempt)})
        folder = self.folder / "attempts" / attempt.name
        writer = AttemptWriter(folder, self.key.seal(attempt.name), redactor)
        writer.open(attempt, spec)
        return writer

    def close(self) -> None:
        """Close the file of events; may be called again."""
        self._events.close()


def private_folder(folder: Path) -> None:
    """Make a folder with its parents, itself readable by the user alone.

    Raises:
        OSError: It cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
