"""The run's durable record, and the truth about it; the shared list is only a view.

On disk, below pytest's cache directory, readable by the user alone:

    runs/<run id>/
      journal.jsonl         the run's story, one event a line; written by the coordinator alone
      workers/<worker>/     what a worker was started with, and its log where its host has no screen
      attempts/<task>.<n>/  one attempt; written by the coordinator until its worker has it
        task.json           what was asked
        output.log          what the agent printed
        transcript.jsonl    what agent `claude` said, called and was told, one event a line
        records.jsonl       verdicts as the agent recorded them, one a line, only ever appended
        report.json         how the attempt ended; written once, by whoever ended it

Every file has one writer at a time, so nothing is locked. A report is written beside its place,
synced, and linked into place: a reader sees all of it or nothing, and a second writer is refused.
A line is written with one `write`; a line cut short by a crash is the last one, and a reader leaves
it out. What an agent recorded is synced before it is acknowledged.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import TYPE_CHECKING, Any

from pytest_ptc.errors import JournalError, VerdictError
from pytest_ptc.model import Attempt, AttemptReport, TaskSpec, Trouble, Usage
from pytest_ptc.verdicts import parse_verdict, read_verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pytest_ptc.model import Verdict

RECORDS = "records.jsonl"
REPORT = "report.json"
TASK = "task.json"
OUTPUT = "output.log"
TRANSCRIPT = "transcript.jsonl"


class Journal:
    """One run's folder, as the coordinator writes it.

    Args:
        runs: The folder that holds all runs' folders.
        run_id: The run's id.
        clock: Seconds since the epoch, for the `at` of every event.

    Raises:
        JournalError: The folder cannot be made; from any method, it cannot be written.
    """

    def __init__(self, runs: Path, run_id: str, *, clock: Callable[[], float] = time.time) -> None:
        self.folder = runs / run_id
        self.run_id = run_id
        self._clock = clock
        with _journal_errors(self.folder):
            private_folder(runs)
            self.folder.mkdir(mode=0o700)
            (self.folder / "workers").mkdir(mode=0o700)
            (self.folder / "attempts").mkdir(mode=0o700)
            self._events = (self.folder / "journal.jsonl").open("ab", buffering=0)

    def __repr__(self) -> str:
        return f"<Journal {self.folder}>"

    def event(self, name: str, **fields: Any) -> None:
        """Append one event: its name, when it was (seconds since the epoch), and its fields."""
        line = json.dumps({"event": name, "at": round(self._clock(), 6), **fields})
        with _journal_errors(self.folder):
            self._events.write(f"{line}\n".encode())

    def worker_folder(self, worker: str) -> Path:
        """Return the folder of a worker, made where it is not there yet."""
        folder = self.folder / "workers" / worker
        with _journal_errors(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def open_attempt(self, attempt: Attempt, spec: TaskSpec, cookie: str) -> Path:
        """Write down what an attempt is about to be asked, and return its folder."""
        folder = self.folder / "attempts" / attempt.name
        with _journal_errors(folder):
            folder.mkdir(mode=0o700)
            task = {
                "task": attempt.task_id,
                "attempt": attempt.number,
                "worker": attempt.worker,
                "cookie": cookie,
                "spec": spec.to_json(),
            }
            # Not synced: a power cut before the agent began loses nothing that was recorded.
            (folder / TASK).write_text(json.dumps(task), encoding="ascii")
        return folder

    def attempt_folder(self, attempt: Attempt) -> Path:
        """Return the folder of an attempt."""
        return self.folder / "attempts" / attempt.name

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


def open_task(folder: Path) -> tuple[Attempt, TaskSpec, str]:
    """Return the attempt, what it is asked and its cookie, from its folder.

    Raises:
        JournalError: They cannot be read.
    """
    with _journal_errors(folder):
        task = json.loads((folder / TASK).read_bytes())
    attempt = Attempt(task_id=task["task"], number=task["attempt"], worker=task["worker"])
    return attempt, TaskSpec.from_json(task["spec"]), task["cookie"]


def append_record(folder: Path, verdict: Verdict) -> None:
    """Record a verdict for the attempt of this folder, on disk before this returns.

    Raises:
        JournalError: It cannot be written.
    """
    line = json.dumps(verdict.to_json()) + "\n"
    with _journal_errors(folder):
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        file = os.open(folder / RECORDS, flags, 0o600)
        try:
            # One write of a whole line: two recorders at once do not mix.
            os.write(file, line.encode())
            os.fsync(file)
        finally:
            os.close(file)


def read_records(folder: Path, schema: Mapping[str, Any] | None = None) -> list[Verdict]:
    """Return the verdicts recorded for the attempt of this folder, in order.

    Raises:
        JournalError: They cannot be read.
        VerdictError: A whole line is not a verdict: somebody else than `ptc record` wrote it.
    """
    with _journal_errors(folder):
        try:
            text = (folder / RECORDS).read_bytes()
        except FileNotFoundError:
            return []
    *lines, _unfinished = text.split(b"\n")
    return [parse_verdict(line, schema) for line in lines]


def write_report(folder: Path, report: AttemptReport) -> bool:
    """File how an attempt ended; False if that has been filed already, which then stands.

    Raises:
        JournalError: It cannot be written.
    """
    text = json.dumps(report.to_json())
    beside = folder / f".{REPORT}.{os.getpid()}"
    with _journal_errors(folder):
        with beside.open("w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link, not a rename: the first report filed is the one that counts.
            (folder / REPORT).hardlink_to(beside)
        except FileExistsError:
            return False
        finally:
            beside.unlink()
    return True


def read_report(folder: Path) -> AttemptReport | None:
    """Return how the attempt of this folder ended, or None if nobody filed that.

    Raises:
        JournalError: The report is there and cannot be read.
    """
    with _journal_errors(folder):
        try:
            value = json.loads((folder / REPORT).read_bytes())
        except FileNotFoundError:
            return None
        attempt = Attempt(task_id=value["task"], number=value["attempt"], worker=value["worker"])
        verdict, trouble, usage = value["verdict"], value["trouble"], value["usage"]
        return AttemptReport(
            attempt=attempt,
            seconds=value["seconds"],
            verdict=None if verdict is None else read_verdict(verdict),
            trouble=None if trouble is None else Trouble.from_json(trouble),
            usage=None if usage is None else Usage(**usage),
            about=value["about"],
        )


@contextlib.contextmanager
def _journal_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise JournalError(f"journal {path}: {error.strerror or error}") from error
    except (KeyError, TypeError, ValueError, VerdictError) as error:
        raise JournalError(f"journal {path}: not what we wrote: {error}") from error
