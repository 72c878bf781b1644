"""One attempt's records and report, as they are on disk: for a run that is resumed or audited."""

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

#: Lines that somebody else put among the records; with more the file is taken as spoilt.
MAX_FOREIGN_LINES = 10_000
#: Checks of an attempt's data that may take too long; the rest is not checked any more.
MAX_SLOW_CHECKS = 2


class AttemptReader:
    """What is on disk of one attempt.

    Args:
        folder: The attempt's folder.
        seal: What its lines and its report are sealed with; with an empty one nothing verifies.
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
        """Return what was recorded that counts, and how the agent's program ended, if seen.

        A sealed verdict that is none, or whose data does not meet the schema, counts as refused.
        """
        found, ended = recordings(self._entries())
        records: list[Record] = []
        slow = 0
        for entry in found:
            # Several that cannot be checked in time must not take as many times as long.
            record = _checked(entry, self._schema, skip=slow >= MAX_SLOW_CHECKS)
            slow += record.refused is not None and TOO_SLOW in record.refused
            records.append(record)
        return records, ended

    def filed(self) -> tuple[AttemptReport | None, str | None]:
        """Return how the attempt ended, None if nobody who may has filed that.

        Beside it is the hash of what was read for that; None where there is no file.
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
        found = []
        foreign = 0
        for line in re.finditer(rb"[^\n]+", text):
            value = _opened(line[0], self._seal)
            if value is not None:
                if (entry := entry_from_json(value)) is not None:
                    found.append(entry)
                continue
            foreign += 1
            if foreign > MAX_FOREIGN_LINES:
                problem = f"has more than {MAX_FOREIGN_LINES} lines that nobody of the run wrote"
                raise JournalError(f"journal {self.folder / RECORDS}: {problem}")
        return found


def _opened(line: bytes, seal: str) -> dict[str, Any] | None:
    """Return what a line holds that carries the seal."""
    if b'"seal"' not in line or len(line) > MAX_RECORD_BYTES:
        return None
    try:
        return opened(json.loads(line), seal)
    except (ValueError, RecursionError):
        return None


def _checked(entry: Recording, schema: Mapping[str, Any] | None, *, skip: bool) -> Record:
    """Return a record, refused if its data is not what the schema asks for."""
    record = entry.record
    if record.verdict is None or schema is None or entry.data_redacted:
        return record
    said = record.verdict.to_json()
    if skip:
        refused = '"data" was not held to the schema: those before it have taken too long'
    else:
        try:
            read_verdict(said, schema)
        except VerdictError as error:
            refused = str(error)
        else:
            return record
    fail = says_fail(said, given=True)
    return replace(record, verdict=None, refused=refused, fail=fail)


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
