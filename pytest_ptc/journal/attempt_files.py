"""One attempt's folder in the journal: its files, how they are written, and how they are read.

    task.json         what is asked, without secrets
    records.jsonl     what its agent recorded or was refused, and how its program ended
    report.json       how the attempt ended
    prompt.txt, output.log, transcript.jsonl   of the worker, for whoever looks back

The coordinator alone writes the first three (`attempt_writer.py`). Every line of the records and
the report carry a seal that it alone can make (`seals.py`). What carries none was written by
somebody else, or was cut short by the end of a process or of the disk: it is left out.

The report is written beside its place, synced, and put into place: a reader sees all of it or
nothing. A line is written with one `write`, and begins with the line's end, so that one that was
cut short spoils only itself.
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

#: The longest of each that is read. A verdict has at most 8 MB, which escapes make longer.
MAX_TASK_BYTES = 300 * 1024 * 1024
MAX_REPORT_BYTES = 64 * 1024 * 1024
MAX_RECORDS_BYTES = 128 * 1024 * 1024
MAX_RECORD_BYTES = 64 * 1024 * 1024
#: The longest file that a report has a hash of.
MAX_HASHED_BYTES = 256 * 1024 * 1024
#: Bytes at the end of the output that its last lines are looked for in.
TAIL_BYTES = 16_384
#: Longest `output.log` that is searched, in bytes; agents keep theirs shorter.
_MAX_OUTPUT_BYTES = 16 * 1024 * 1024


def keep_text(path: Path, text: str, redactor: Redactor) -> None:
    """Keep a text for whoever looks back; a full disk is no reason to break an attempt."""
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

    For what a worker that was killed had read, and not yet handed over. Of agents that keep a
    transcript the output is a narrative of ours, and says nothing.
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
    """Translate what reading and writing the journal raises."""
    try:
        yield
    except OSError as error:
        raise JournalError(f"journal {path}: {error.strerror or error}") from error
    except (KeyError, TypeError, ValueError, RecursionError, VerdictError) as error:
        raise JournalError(f"journal {path}: not what we wrote: {error}") from error
