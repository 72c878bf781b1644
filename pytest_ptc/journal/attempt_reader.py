"""One attempt's records and report on disk, for `--ptc-resume` and audits."""

from __future__ import annotations

import errno
import hashlib
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_ptc.journal.attempt_files import (
    MAX_HASHED_BYTES,
    MAX_RECORD_BYTES,
    MAX_RECORDS_BYTES,
    MAX_REPORT_BYTES,
    RECORDS,
    REPORT,
    failing_output_line,
    journal_errors,
    last_lines,
)
from pytest_ptc.journal.seals import opened
from pytest_ptc.model.errors import JournalError, VerdictError
from pytest_ptc.system import own_files
from pytest_ptc.system.regular_files import read_regular
from pytest_ptc.verdicts.entries import Entry, Recording, entry_from_json, recordings
from pytest_ptc.verdicts.fail_signs import says_fail
from pytest_ptc.verdicts.report_json import report_from_json
from pytest_ptc.verdicts.schemas import TOO_SLOW
from pytest_ptc.verdicts.verdict_json import read_verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_ptc.model.result import AttemptReport
    from pytest_ptc.verdicts.endings import Ended
    from pytest_ptc.verdicts.recording import Record

#: Most lines without a valid seal among the records; with more, the file is refused.
MAX_FOREIGN_LINES = 10_000
#: After so many schema checks of one attempt that took too long, no more are made.
MAX_SLOW_CHECKS = 2


class AttemptReader:
    """What is on disk of one attempt.

    Args:
        folder: The attempt's folder.
        seal: The key of its seals; with an empty one nothing verifies.
        schema: JSON Schema for the data of its verdicts.

    Raises:
        JournalError: From `story` and `filed`: the folder cannot be read.
    """

    def __init__(self, folder: Path, seal: str, *, schema: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self._seal = seal
        self._schema = schema

    def __repr__(self) -> str:
        return f"<AttemptReader {self.folder}>"

    def story(self) -> tuple[list[Record], Ended | None]:
        """Return the records that count, and how the agent's program ended, if known.

        A sealed verdict that is invalid, or whose data does not match the schema, counts as
        refused.
        """
        entries, ended = recordings(self._entries())
        records: list[Record] = []
        slow = 0
        for entry in entries:
            # Bounds the total time of checks that time out.
            record = _check(entry, self._schema, skip=slow >= MAX_SLOW_CHECKS)
            slow += record.refused is not None and TOO_SLOW in record.refused
            records.append(record)
        return records, ended

    def filed(self) -> tuple[AttemptReport | None, str | None]:
        """Return the attempt's report and the SHA-256 of its file.

        The report is None without a valid seal; the hash is None where there is no file.
        """
        with journal_errors(self.folder):
            try:
                text = read_regular(self.folder / REPORT, MAX_REPORT_BYTES)
            except FileNotFoundError:
                return None, None
            except OSError as error:
                if error.errno in (None, errno.ELOOP):
                    return None, None  # not a regular file: not written by the coordinator
                raise
            digest = hashlib.sha256(text).hexdigest()
            try:
                value = opened(json.loads(text), self._seal)
            except (ValueError, RecursionError):
                return None, digest
            return None if value is None else report_from_json(value), digest

    def tail(self) -> str:
        """Return the last lines of what the agent printed."""
        return last_lines(self.folder)

    def failing_line(self) -> str | None:
        """Return the first line of a program's output that says fail; None if there is none."""
        return failing_output_line(self.folder)

    def _entries(self) -> list[Entry]:
        with journal_errors(self.folder / RECORDS):
            text = read_regular(self.folder / RECORDS, MAX_RECORDS_BYTES)
        entries = []
        foreign = 0
        for line in re.finditer(rb"[^\n]+", text):
            value = _verified(line[0], self._seal)
            if value is not None:
                if (entry := entry_from_json(value)) is not None:
                    entries.append(entry)
                continue
            foreign += 1
            if foreign > MAX_FOREIGN_LINES:
                problem = f"has more than {MAX_FOREIGN_LINES} lines without a valid seal"
                raise JournalError(f"journal {self.folder / RECORDS}: {problem}")
        return entries


def _verified(line: bytes, seal: str) -> dict[str, Any] | None:
    """Return the content of a line with a valid seal; else None."""
    if b'"seal"' not in line or len(line) > MAX_RECORD_BYTES:
        return None
    try:
        return opened(json.loads(line), seal)
    except (ValueError, RecursionError):
        return None


def _check(entry: Recording, schema: Mapping[str, Any] | None, *, skip: bool) -> Record:
    """Return a record, refused if its data does not match the schema."""
    record = entry.record
    if record.verdict is None or schema is None or entry.data_redacted:
        return record
    verdict = record.verdict.to_json()
    if skip:
        refused = '"data" was not checked against the schema: earlier checks took too long'
    else:
        try:
            read_verdict(verdict, schema)
        except VerdictError as error:
            refused = str(error)
        else:
            return record
    fail = says_fail(verdict, given=True)
    return replace(record, verdict=None, refused=refused, fail=fail)


def changed_files(folder: Path) -> list[str]:
    """Return the files of an attempt that differ from the hashes in its report, a sentence each."""
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
