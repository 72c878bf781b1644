"""One attempt's folder in the journal: what its agent recorded, and how it ended.

    records.jsonl   when its time is over, what its agent recorded or was refused, and the status
                    that its program ended with, one a line, only ever appended
    report.json     how the attempt ended; the first that is sealed counts

Every line and the report carry a seal by the attempt's token (`seals.py`). What carries none was
written by somebody else, or was cut short by the end of a process or of the disk: it is left out,
and counted. So nobody but the attempt's own worker and agent can say how it ended.

A report is written beside its place, synced, and linked into place: a reader sees all of it or
nothing. A line is written with one `write`, and begins with the line's end, so that one that was
cut short spoils only itself. What an agent recorded is synced before it is acknowledged or
believed: a program's line of output at the moment it is read, its status before it is judged.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import time
from typing import TYPE_CHECKING, Any

from pytest_ptc.journal.seals import commitment, opened, sealed
from pytest_ptc.model.errors import JournalError, VerdictError
from pytest_ptc.model.result import Attempt, AttemptReport, Usage
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Trouble
from pytest_ptc.system import own_files
from pytest_ptc.system.regular_files import read_regular
from pytest_ptc.text.printable import utf8
from pytest_ptc.text.redaction import Redactor
from pytest_ptc.verdicts.endings import Ended
from pytest_ptc.verdicts.fail_signs import failing_line, says_fail
from pytest_ptc.verdicts.recording import Record
from pytest_ptc.verdicts.schemas import TOO_SLOW
from pytest_ptc.verdicts.verdict_json import read_verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pytest_ptc.model.verdict import Verdict

TASK = "task.json"
PROMPT = "prompt.txt"
OUTPUT = "output.log"
TRANSCRIPT = "transcript.jsonl"
RECORDS = "records.jsonl"
REPORT = "report.json"
#: The longest report that is read: a verdict with its data, and the hashes of some files.
MAX_REPORT_BYTES = 64 * 1024 * 1024

#: The longest of each that is read. A verdict has at most 8 MB, which escapes make longer.
MAX_TASK_BYTES = 300 * 1024 * 1024
MAX_REPORT_BYTES = 64 * 1024 * 1024
MAX_RECORDS_BYTES = 128 * 1024 * 1024
MAX_RECORD_BYTES = 64 * 1024 * 1024
#: The longest file that a report has a hash of.
MAX_HASHED_BYTES = 256 * 1024 * 1024
#: Lines that somebody else put among the records; with more the file is taken as spoilt.
MAX_FOREIGN_LINES = 10_000
#: Checks of an attempt's data that may take too long; the rest is not checked any more.
MAX_SLOW_CHECKS = 2
#: Bytes at the end of the output that its last lines are looked for in.
TAIL_BYTES = 16_384

#: The call that a program's exit status is, where the user takes that for a verdict.
_STATUS = "status"

#: Longest `output.log` that is searched, in bytes; agents keep theirs shorter.
_MAX_OUTPUT_BYTES = 16 * 1024 * 1024


class AttemptJournal:
    """What is written down of one attempt.

    Args:
        folder: The attempt's folder.
        token: The attempt's token; with an empty one nothing verifies.
        redactor: Keeps secrets out of what is written.
        deadline: When the attempt is over, in seconds of `time.monotonic()`, which all processes of
            a machine share. A verdict recorded later is marked, and fails an item at most.

    Raises:
        JournalError: From any method: the folder cannot be written or read.
    """

    def __init__(
        self,
        folder: Path,
        token: str,
        redactor: Redactor | None = None,
        *,
        deadline: float | None = None,
    ) -> None:
        self.folder = folder
        self.deadline = deadline
        self.redactor = redactor or Redactor()
        self.token = token
        #: How many lines, at the last look, somebody else had put among the records.
        self.foreign = 0

    def __repr__(self) -> str:
        return f"<AttemptJournal {self.folder}>"

    def open(self, attempt: Attempt, spec: TaskSpec) -> None:
        """Make the folder, with what is asked, and the commitment to the token."""
        task = {
            "task": attempt.task_id,
            "attempt": attempt.number,
            "worker": attempt.worker,
            "commitment": commitment(self.token),
            "spec": self.redactor.json(spec.to_json()),
        }
        with journal_errors(self.folder):
            self.folder.mkdir(mode=0o700)
            # Not synced: a power cut before the agent began loses nothing that was recorded.
            own_files.write_new(self.folder / TASK, json.dumps(task).encode("ascii"))
            # Made here, so that one that is missing later is one that somebody has removed.
            os.close(own_files.open_for_append(self.folder / RECORDS))

    def task(self) -> tuple[Attempt, TaskSpec]:
        """Return which attempt it is, and what is asked, without secrets."""
        task = self._task()
        with journal_errors(self.folder):
            attempt = Attempt(task_id=task["task"], number=task["attempt"], worker=task["worker"])
            return attempt, TaskSpec.from_json(task["spec"])

    def is_ours(self) -> bool:
        """Tell whether the token is this attempt's."""
        return bool(self.token) and self._task().get("commitment") == commitment(self.token)

    def keep(self, name: str, text: str) -> None:
        """Keep a text for whoever looks back; a full disk is no reason to break an attempt."""
        with contextlib.suppress(OSError):
            own_files.write_new(self.folder / name, utf8(self.redactor.text(text)))

    # What the agent recorded.

    @property
    def over(self) -> bool:
        """Tell whether the attempt's time is over."""
        return self.deadline is not None and time.monotonic() > self.deadline

    def begin(self, deadline: float) -> None:
        """Put down when the attempt is over: for whoever records without being told."""
        self.deadline = deadline
        self._append({"deadline": deadline}, sync=False)

    def end_time(self) -> None:
        """Put down that the time is over: from here on only a fail counts."""
        self._append({"over": True}, sync=False)

    def learn_deadline(self) -> None:
        """Take the deadline from the journal, where that has an earlier one."""
        for line in self._lines():
            told = -math.inf if line.get("over") else line.get("deadline")
            if isinstance(told, float | int):
                self.deadline = told if self.deadline is None else min(self.deadline, told)

    def record(self, record: Record) -> bool:
        """Put a recording on disk, and return when it is there.

        Returns:
            Whether it is too late to count: the time is over, and it does not say fail.
        """
        late = self.over
        line: dict[str, Any] = {"call": record.call, "late": late, "at": time.monotonic()}
        if record.verdict is not None:
            line["verdict"] = record.verdict.to_json()
            # It was held to its schema as it was; what stands for a secret may not meet that.
            data = record.verdict.data
            line["data_redacted"] = self.redactor.json(data, free=True) != data
        else:
            line |= {"refused": record.refused, "fail": record.fail}
        if record.answer is not None:
            line["answer"] = record.answer
        if record.printed:
            line["printed"] = True
        self._append(line, sync=True)
        return late and not record.says_fail

    def answered(self, call: str, answer: str) -> None:
        """Put down which answer of the model holds a recording that is on disk, or will be."""
        self._append({"call": call, "answer": answer}, sync=False)

    def ended(self, ended: Ended, verdict: Verdict | None = None) -> None:
        """Put on disk how the agent's program ended, with the verdict that its status is, if so."""
        line: dict[str, Any] = {"ended": ended.status, "last": ended.last}
        if verdict is not None:
            line |= {"call": _STATUS, "late": self.over, "verdict": verdict.to_json()}
        self._append(line, sync=True)

    def records(self, schema: Mapping[str, Any] | None = None) -> list[Record]:
        """Return what was recorded, in order; a sealed verdict that is none counts as refused.

        What was recorded when the time was over is left out, unless it says fail.
        """
        return self.story(schema)[0]

    def story(self, schema: Mapping[str, Any] | None = None) -> tuple[list[Record], Ended | None]:
        """Return what was recorded, and how the agent's program ended, if that was seen."""
        answers: dict[str, str] = {}
        told: dict[str, dict[str, Any]] = {}
        late: set[str] = set()
        deadline, ended = math.inf, None
        for line in self._lines():
            call = str(line.get("call"))
            if isinstance(line.get("answer"), str):
                answers[call] = line["answer"]
            if line.get("over"):
                deadline = -math.inf
            if isinstance(line.get("deadline"), float | int):
                deadline = min(deadline, line["deadline"])
            if isinstance(line.get("ended"), int):
                ended = Ended(line["ended"], line.get("last"))
            if "verdict" in line or "refused" in line:
                told[call] = line
                at = line.get("at")
                when = at if isinstance(at, float | int) else 0.0
                (late.add if line.get("late") or when > deadline else late.discard)(call)
        # First what the status says: of several that agree the last one counts, and a program's
        # own words read better.
        calls = sorted(told, key=lambda call: call != _STATUS)
        records, slow = [], 0
        for call in calls:
            # Several that cannot be checked in time must not take as many times as long.
            skip = slow >= MAX_SLOW_CHECKS
            record = _record(call, told[call], answers.get(call), schema, skip=skip)
            slow += record.refused is not None and TOO_SLOW in record.refused
            if call not in late or record.says_fail:
                records.append(record)
        return records, ended

    # How it ended.

    def file(self, report: AttemptReport) -> AttemptReport:
        """File how the attempt ended, and return what counts: the first that was filed."""
        value = self.redactor.json(report.to_json())
        place = self.folder / REPORT
        with journal_errors(self.folder):
            value["files"] = self._hashes()
            content = json.dumps(sealed(value, self.token)).encode("ascii")
            try:
                # The first report filed is the one that counts.
                own_files.link_new(place, content)
            except FileExistsError:
                filed = self.report()
                if filed is not None:
                    return filed
                # Not sealed: somebody else's, who has no say here.
                own_files.link_new(place, content, over=True)
        return report_from_json(value)

    def report(self) -> AttemptReport | None:
        """Return how the attempt ended, or None if nobody who may has filed that."""
        return self.filed()[0]

    def filed(self) -> tuple[AttemptReport | None, str | None]:
        """Return how the attempt ended, as `report`, and the hash of what was read for that.

        The hash is None where there is no file.
        """
        with journal_errors(self.folder):
            try:
                text = read_regular(self.folder / REPORT, MAX_REPORT_BYTES)
            except FileNotFoundError:
                return None, None
            except OSError as error:
                if error.errno in (None, errno.ELOOP):
                    return None, None  # no file, or a link: somebody else's, who has no say here
                raise
            digest = hashlib.sha256(text).hexdigest()
            try:
                value = opened(json.loads(text), self.token)
            except (ValueError, RecursionError):
                return None, digest
            return None if value is None else report_from_json(value), digest

    def digest(self) -> str | None:
        """Return the hash of the report as it is on disk; None where there is none."""
        try:
            return own_files.sha256(self.folder / REPORT, MAX_REPORT_BYTES)
        except OSError:
            return None

    def tail(self) -> str:
        """Return the last lines of what the agent printed."""
        with contextlib.suppress(OSError):
            end = own_files.read_end(self.folder / OUTPUT, TAIL_BYTES)
            return "\n".join(end.decode("utf-8", "replace").splitlines()[-40:])
        return ""

    def failing_line(self) -> str | None:
        """Return the first line of a program's output that says fail; None if there is none.

        For what a worker that was killed had read, and not yet put among the records. Of agents
        that keep a transcript the output is a narrative of ours, and says nothing.
        """
        with contextlib.suppress(OSError):
            if not (self.folder / TRANSCRIPT).exists():
                output = read_regular(self.folder / OUTPUT, _MAX_OUTPUT_BYTES)
                prompt = read_regular(self.folder / PROMPT, MAX_TASK_BYTES)
                line = failing_line(output.splitlines(), prompt.decode("utf-8", "replace"))
                return None if line is None else line[:200].decode("utf-8", "replace")
        return None

    def _task(self) -> dict[str, Any]:
        with journal_errors(self.folder):
            task = json.loads(read_regular(self.folder / TASK, MAX_TASK_BYTES))
            if not isinstance(task, dict):
                raise ValueError(f"{TASK} is no JSON object")  # noqa: TRY004 - translated below
            return task

    def _append(self, line: Mapping[str, Any], *, sync: bool) -> None:
        text = f"\n{json.dumps(sealed(self.redactor.json(line), self.token))}".encode()
        with journal_errors(self.folder / RECORDS):
            # Not made anew: one that is gone may have held a fail.
            file = own_files.open_for_append(self.folder / RECORDS, create=False)
            try:
                # One write of a whole line: two recorders at once do not mix.
                if os.write(file, text) < len(text):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                if sync:
                    os.fsync(file)
            finally:
                os.close(file)

    def _lines(self) -> list[dict[str, Any]]:
        with journal_errors(self.folder / RECORDS):
            text = read_regular(self.folder / RECORDS, MAX_RECORDS_BYTES)
        found = []
        self.foreign = 0
        for line in re.finditer(rb"[^\n]+", text):
            value = _opened(line[0], self.token)
            if value is not None:
                found.append(value)
                continue
            self.foreign += 1
            if self.foreign > MAX_FOREIGN_LINES:
                problem = f"has more than {MAX_FOREIGN_LINES} lines that nobody of the run wrote"
                raise JournalError(f"journal {self.folder / RECORDS}: {problem}")
        return found

    def _hashes(self) -> dict[str, str]:
        """Return the SHA-256 of every file that the report is about, and that is one of ours."""
        found = {}
        for name in (OUTPUT, PROMPT, RECORDS, TASK, TRANSCRIPT):
            with contextlib.suppress(OSError):
                found[name] = own_files.sha256(self.folder / name, MAX_HASHED_BYTES)
        return found


def _opened(line: bytes, token: str) -> dict[str, Any] | None:
    """Return what a line holds that carries the token's seal."""
    if b'"seal"' not in line or len(line) > MAX_RECORD_BYTES:
        return None
    try:
        return opened(json.loads(line), token)
    except (ValueError, RecursionError):
        return None


def changed_files(folder: Path) -> list[str]:
    """Return which files of an attempt are not what its report says they were, a sentence each."""
    try:
        files = json.loads(read_regular(folder / REPORT, MAX_REPORT_BYTES))["files"]
        wrong = {name: _difference(folder / name, digest) for name, digest in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return [f"{REPORT} cannot be read: {error}"]
    return [f"{name} {difference}" for name, difference in wrong.items() if difference]


def _difference(file: Path, digest: str) -> str | None:
    try:
        return None if own_files.sha256(file, MAX_HASHED_BYTES) == digest else "has changed"
    except FileNotFoundError:
        return "is gone"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def report_from_json(value: Mapping[str, Any]) -> AttemptReport:
    """Return the report that `AttemptReport.to_json` made.

    Raises:
        KeyError, TypeError, ValueError, VerdictError: It is not that.
    """
    verdict, trouble, usage = value["verdict"], value["trouble"], value["usage"]
    return AttemptReport(
        attempt=Attempt(task_id=value["task"], number=value["attempt"], worker=value["worker"]),
        seconds=value["seconds"],
        verdict=None if verdict is None else read_verdict(verdict),
        trouble=None if trouble is None else Trouble.from_json(trouble),
        usage=None if usage is None else Usage(**usage),
        about=value["about"],
    )


@contextlib.contextmanager
def journal_errors(path: Path) -> Iterator[None]:
    """Translate what reading and writing the journal raises."""
    try:
        yield
    except OSError as error:
        raise JournalError(f"journal {path}: {error.strerror or error}") from error
    except (KeyError, TypeError, ValueError, RecursionError, VerdictError) as error:
        raise JournalError(f"journal {path}: not what we wrote: {error}") from error


def _record(
    call: str,
    line: Mapping[str, Any],
    answer: str | None,
    schema: Mapping[str, Any] | None,
    *,
    skip: bool,
) -> Record:
    printed = bool(line.get("printed"))
    if "refused" in line:
        refused, fail = str(line["refused"]), bool(line.get("fail"))
    elif skip and schema is not None:
        refused = '"data" was not held to the schema: those before it have taken too long'
        fail = says_fail(line["verdict"], given=True)
    else:
        form = None if line.get("data_redacted") is True else schema
        try:
            verdict = read_verdict(line["verdict"], form)
        except VerdictError as error:
            refused, fail = str(error), says_fail(line["verdict"], given=True)
        else:
            return Record(call=call, verdict=verdict, answer=answer, printed=printed)
    return Record(call=call, refused=refused, answer=answer, fail=fail, printed=printed)
