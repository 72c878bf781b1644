"""One attempt's folder in the journal: its files, how they are written, and how they are read.

    task.json         the task, without secrets
    records.jsonl     what its agent recorded or was refused, and how its program ended
    report.json       how the attempt ended
    prompt.txt, output.log, transcript.jsonl   of the worker, for people

The coordinator alone writes the first three (`attempt_writer.py`). Every line of the records and
the report has a seal that only the coordinator can make (`seals.py`). What has no valid seal was
written by another process, or is incomplete: it is ignored.

The report is written to a temporary file, synced, and moved into place: a reader sees all of it or
nothing. A record is one `write`, and begins with a line end, so that an incomplete one does not
spoil the next.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import JournalError, VerdictError
from pytest_ptc.system import own_files
from pytest_ptc.system.regular_files import read_regular
from pytest_ptc.text.printable import utf8
from pytest_ptc.verdicts.fail_signs import failing_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_ptc.text.redaction import Redactor

TASK = "task.json"
PROMPT = "prompt.txt"
OUTPUT = "output.log"
TRANSCRIPT = "transcript.jsonl"
RECORDS = "records.jsonl"
REPORT = "report.json"

#: The longest of each that is read. A verdict has at most 8 MB; JSON escapes make it longer.
MAX_TASK_BYTES = 300 * 1024 * 1024
MAX_REPORT_BYTES = 64 * 1024 * 1024
MAX_RECORDS_BYTES = 128 * 1024 * 1024
MAX_RECORD_BYTES = 64 * 1024 * 1024
#: The longest file that a report has a hash of.
MAX_HASHED_BYTES = 256 * 1024 * 1024
#: Bytes at the end of the output that are read for its last lines.
TAIL_BYTES = 16_384
#: Longest `output.log` that is searched, in bytes; agents keep theirs shorter.
_MAX_OUTPUT_BYTES = 16 * 1024 * 1024


def keep_text(path: Path, text: str, redactor: Redactor) -> None:
    """Write a text, redacted; a write error is ignored, because the file only helps people."""
    with contextlib.suppress(OSError):
        own_files.write_new(path, utf8(redactor.text(text)))


def last_lines(folder: Path) -> str:
    """Return the last lines of what the agent printed."""
    with contextlib.suppress(OSError):
        end = own_files.read_end(folder / OUTPUT, TAIL_BYTES)
        return "\n".join(end.decode("utf-8", "replace").splitlines()[-40:])
    return ""


def failing_output_line(folder: Path) -> str | None:
    """Return the first line of a program's output that says fail; None if there is none.

    It finds a fail that a killed worker had read and not sent yet. The output of an agent with a
    transcript is our own narrative: it is not searched.
    """
    with contextlib.suppress(OSError):
        if not (folder / TRANSCRIPT).exists():
            output = read_regular(folder / OUTPUT, _MAX_OUTPUT_BYTES)
            prompt = read_regular(folder / PROMPT, MAX_TASK_BYTES)
            line = failing_line(output.splitlines(), prompt.decode("utf-8", "replace"))
            return None if line is None else line[:200].decode("utf-8", "replace")
    return None


@contextlib.contextmanager
def journal_errors(path: Path) -> Iterator[None]:
    """Translate the exceptions of reading and writing the journal to JournalError."""
    try:
        yield
    except OSError as error:
        raise JournalError(f"journal {path}: {error.strerror or error}") from error
    except (KeyError, TypeError, ValueError, RecursionError, VerdictError) as error:
        raise JournalError(f"journal {path}: invalid content: {error}") from error
