"""Verdicts in a program's output: each line that is a record is sent as it is read."""

from __future__ import annotations

import json
import re
from collections import deque
from typing import TYPE_CHECKING, Any

from pytest_ptc.model.errors import VerdictError
from pytest_ptc.verdicts.fail_signs import Lines, says_fail
from pytest_ptc.verdicts.recording import Record
from pytest_ptc.verdicts.verdict_json import MAX_VERDICT_BYTES, parse_verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_ptc.interfaces.ledger import Ledger

#: Most records of one kind that are sent as they are read: a program in a loop must not fill the
#: disk. Of further ones, only the last line of the output is sent.
_MAX_RECORDS = 50
#: The last lines of the output that explain a fail by exit status, the characters of all of them,
#: and the bytes of each that are searched for secrets.
_REASON_LINES = 8
MAX_REASON_CHARS = 600
_MAX_LINE_BYTES = 16 * 1024
_COLOUR = re.compile(rb"\x1b\[[0-9;]*[mK]")
#: A member of a verdict on a line of its own, as JSON with `indent` has it.
_MEMBER = re.compile(rb'[{,]?\s*"verdict"\s*:\s*"(pass|fail|skip|error)"\s*,?')
#: Characters of a line that a message shows.
_SHOWN_BYTES = 200


class Printed:
    """What a program prints, searched for verdicts.

    A line of standard output that is a JSON object with a verdict is a record. A line that says
    fail in another form, also on standard error, is a refused record. Lines that repeat the prompt
    are ignored.

    Args:
        journal: Takes the records.
        schema: JSON Schema for the verdict's `data`.
        prompt: What the program was given.
    """

    def __init__(self, journal: Ledger, schema: Mapping[str, Any] | None, prompt: str = "") -> None:
        self._journal = journal
        self._schema = schema
        repeated = prompt.encode("utf-8", "replace").decode()
        self._lines = {"stdout": Lines(repeated), "stderr": Lines(repeated)}
        self._counts: dict[str, int] = {}
        self._calls = 0
        self._held_back: Record | None = None
        #: The call of the record on the last line of standard output; None if that is no record.
        self.last: str | None = None
        self._last_lines: deque[bytes] = deque(maxlen=_REASON_LINES)
        self._spread = False

    def reason(self) -> str:
        """Return the last lines that are not blank, of either stream: why a program failed."""
        kept: list[str] = []
        left = MAX_REASON_CHARS
        for line in reversed(self._last_lines):
            text = _COLOUR.sub(b"", line).decode("utf-8", "replace")
            # Redacted before it is cut: half a secret is not recognised.
            plain = self._journal.redactor.head(text, MAX_REASON_CHARS)
            if kept and len(plain) > left:
                break
            kept.insert(0, plain)
            left -= len(plain) + len(" | ")
        # A summary is shown on one line.
        return " | ".join(kept)

    def hint(self) -> str:
        """Return what to do about a verdict in a form that is not read; empty if there is none."""
        if not self._spread:
            return ""
        return (
            "; it printed a verdict as JSON over several lines: print it as one line "
            "(`json.dumps` without `indent`, `jq -c`)"
        )

    def take(self, stream: str, lines: Iterable[bytes]) -> None:
        """Take complete lines of `stdout` or `stderr`."""
        for line in lines:
            stripped = line.strip()
            if stripped:
                self._take(stream, stripped)

    def end(self) -> None:
        """Send the last line's record, if it was held back."""
        if self._held_back is not None and self._held_back.call == self.last:
            self._journal.record(self._held_back)
        self._held_back = None

    def _take(self, stream: str, line: bytes) -> None:
        lines = self._lines[stream]
        self._last_lines.append(line[:_MAX_LINE_BYTES])
        if stream == "stdout":
            self.last = None
        if not lines.may_speak(line):
            return
        self._spread = self._spread or _MEMBER.fullmatch(line) is not None
        self._calls += 1
        call = f"{stream}-{self._calls}"
        if stream == "stdout" and _holds_verdict(line):
            self.last = call
            self._record(_parse_record(call, line, self._schema))
        elif lines.says_fail(line):
            where = "standard output" if stream == "stdout" else "standard error"
            shown = line[:_SHOWN_BYTES].decode("utf-8", "replace")
            refused = f"on {where}, not as a valid verdict on the last line: {shown}"
            self._record(Record(call=call, refused=refused, fail=True, printed=True))

    def _record(self, record: Record) -> None:
        kind = record.verdict.verdict.value if record.verdict else f"refused {record.fail}"
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if self._counts[kind] > _MAX_RECORDS:
            self._held_back = record
        else:
            self._journal.record(record)


def _parse_record(call: str, line: bytes, schema: Mapping[str, Any] | None) -> Record:
    """Return the record that a line is; the program gets no answer."""
    try:
        return Record(call=call, verdict=parse_verdict(line, schema), printed=True)
    except VerdictError as error:
        return Record(call=call, refused=str(error), fail=says_fail(line), printed=True)


def _holds_verdict(line: bytes) -> bool:
    """Tell whether a line is a JSON object that has a verdict, whatever that is."""
    if not line.startswith(b"{") or len(line) > MAX_VERDICT_BYTES:
        return False
    try:
        value = json.loads(line)
    except RecursionError:
        return b'"verdict"' in line
    except ValueError:
        return False
    return isinstance(value, dict) and "verdict" in value
