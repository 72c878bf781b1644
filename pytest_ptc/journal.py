"""The run's durable record, and the truth about it; the shared list is only a view.

On disk, below pytest's cache directory, readable by the user alone:

    runs/<run id>/
      journal.jsonl         the run's story, one event a line; written by the coordinator alone
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
like secrets are in none of them. The attempt's folder is in `attempts.py`.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from pytest_ptc.attempts import AttemptJournal, journal_errors
from pytest_ptc.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_ptc.model import Attempt, TaskSpec

#: The run's story.
STORY = "journal.jsonl"


class Journal:
    """One run's folder, as the coordinator writes it.

    Args:
        runs: The folder that holds all runs' folders.
        run_id: The run's id.
        redactor: Keeps secrets out of what is written.
        clock: Seconds since the epoch, for the `at` of every event.

    Raises:
        JournalError: The folder cannot be made; from any method but `event`, it cannot be written.
    """

    def __init__(
        self,
        runs: Path,
        run_id: str,
        *,
        redactor: Redactor | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder = runs / run_id
        self.run_id = run_id
        self.redactor = redactor or Redactor()
        #: Why events could not be written, if that was so: the first reason.
        self.problem: str | None = None
        self._torn = False
        self._clock = clock
        with journal_errors(self.folder):
            private_folder(runs)
            self.folder.mkdir(mode=0o700)
            (self.folder / "workers").mkdir(mode=0o700)
            (self.folder / "attempts").mkdir(mode=0o700)
            self._events = (self.folder / STORY).open("ab", buffering=0)

    def __repr__(self) -> str:
        return f"<Journal {self.folder}>"

    def event(self, name: str, **fields: Any) -> None:
        """Append one event: its name, when it was (seconds since the epoch), and its fields.

        A full disk costs the story, and not the run: verdicts are in the attempts' own folders.
        """
        told = self.redactor.json({"event": name, "at": round(self._clock(), 6), **fields})
        line = f"{json.dumps(told)}\n".encode()
        if self._torn:
            line = b"\n" + line
        try:
            self._torn = self._events.write(line) != len(line)
            if self._torn:
                self.problem = self.problem or "it has no room for all events"
        except OSError as error:
            self._torn = True
            self.problem = self.problem or error.strerror or str(error)

    def worker_folder(self, worker: str) -> Path:
        """Return the folder of a worker, made where it is not there yet."""
        folder = self.folder / "workers" / worker
        with journal_errors(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def open_attempt(self, attempt: Attempt, spec: TaskSpec, token: str) -> AttemptJournal:
        """Write down what an attempt is about to be asked, and return its journal."""
        opened = self.attempt(attempt, token)
        opened.open(attempt, spec)
        return opened

    def attempt(self, attempt: Attempt, token: str) -> AttemptJournal:
        """Return the journal of an attempt."""
        return AttemptJournal(self.folder / "attempts" / attempt.name, token, self.redactor)

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
