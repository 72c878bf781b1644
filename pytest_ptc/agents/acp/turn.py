"""One attempt with a client: what its model records and says, and the outcome.

It decides alone; its ledger puts down what it accepts before anybody hears of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

from pytest_ptc.interfaces.agent import as_it_is
from pytest_ptc.model.errors import JournalError, VerdictError
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.verdicts.fail_signs import says_fail
from pytest_ptc.verdicts.recording import Record, settle
from pytest_ptc.verdicts.verdict_json import read_verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_ptc.interfaces.ledger import Ledger

#: How often a model that stops without a verdict gets a reminder, and how often after a tool call
#: that was not allowed: with some clients that is the end of a turn.
MAX_REMINDERS, MAX_DENIALS = 2, 8
_HOW = (
    "Record your verdict with the tool record_verdict of the MCP server ptc. If you could not do "
    'the task, the verdict is "error" and the summary says why.'
)


@dataclass(frozen=True, slots=True)
class Taken:
    """The answer to a recording: whether it counts, and the words for the model."""

    recorded: bool
    message: str


class Turn:
    """The recordings of one attempt.

    Args:
        task_id: The attempt's task.
        schema: JSON Schema for the verdict's `data`.
        ledger: Takes accepted and refused records.
        checked: Returns a valid verdict with its findings looked up; see `Job.checked`.
    """

    def __init__(
        self,
        task_id: str,
        schema: Mapping[str, Any] | None,
        ledger: Ledger,
        checked: Callable[[Verdict], Verdict] = as_it_is,
    ) -> None:
        self._task_id = task_id
        self._schema = schema
        self._ledger = ledger
        self._checked = checked
        self._lock = Lock()
        self._records: list[Record] = []
        #: What the client shows of the calls of our tool, by their ids; None for nothing.
        self._shown: dict[str, object] = {}
        self._calls = 0
        self._answered = 0
        self._reminders = self._denials = 0
        self._unwritten: JournalError | None = None

    def __repr__(self) -> str:
        return f"<Turn of task {self._task_id}: {len(self._records)} records>"

    @property
    def recorded(self) -> bool:
        """Tell whether a valid verdict is in the journal."""
        return any(record.verdict is not None for record in self._records)

    def take(self, value: object) -> Taken:
        """Take a recording; it returns when the record is on disk, and blocks until then.

        It reads the files that findings name.

        Args:
            value: The arguments of the tool's call: whatever the model has sent.
        """
        with self._lock:
            self._calls += 1
            # What came before any answer may be of one answer of the model.
            call, answer = f"call-{self._calls}", f"answer-{self._answered}"
        try:
            return self._take(call, answer, value)
        finally:
            with self._lock:
                self._answered += 1

    def shown(self, calls: Mapping[str, object]) -> None:
        """Take what the client shows of the calls of our tool, by their ids; None for nothing.

        A call may never reach us: a client refuses one by itself, or carries it out too late.
        """
        self._shown.update(calls)

    def said(self, text: str) -> None:
        """Take a text of the model: a fail in it counts as a refused record."""
        for line in text.splitlines():
            if line.lstrip().startswith("{") and says_fail(line):
                self._refuse("written as text, not recorded: " + line.strip()[:200], fail=True)

    def reminder(self, *, denied: bool = False) -> str | None:
        """Return the next prompt for a model that stopped without a verdict; None after the last.

        Args:
            denied: Whether a tool call of its turn was not allowed.
        """
        if denied and self._denials < MAX_DENIALS:
            self._denials += 1
            return f"That tool call is not allowed: go on without it. {_HOW}"
        if self._reminders >= MAX_REMINDERS:
            return None
        self._reminders += 1
        return f"No verdict is recorded for task {self._task_id}. {_HOW}"

    def settled(self, trouble: Trouble | None = None) -> Verdict | Trouble:
        """Return the verdict of all records, or why there is none.

        Call it after the ledger is settled.

        Args:
            trouble: What went wrong besides.
        """
        fails = [shown for shown in self._shown.values() if says_fail(shown, given=True)]
        if fails and not any(record.says_fail for record in self._records):
            self._refuse(f"a call that was not carried out: {fails[-1]!s:.200}", fail=True)
        if not self._records and self._unwritten is not None:
            return Trouble(cause=Cause.MACHINERY, message=str(self._unwritten))
        ended = settle(self._records)
        hidden = None in self._shown.values() and len(self._shown) > self._calls
        if hidden and isinstance(ended, Verdict) and ended.verdict is not VerdictKind.FAIL:
            # It may have been a fail.
            message = (
                f"besides {ended.verdict}, the agent called record_verdict with what its client "
                "neither sent nor shows"
            )
            return Trouble(cause=Cause.CONTRADICTED, message=message)
        if isinstance(ended, Trouble) and trouble is not None and not self.recorded:
            return trouble.beside(ended)
        return ended

    def _take(self, call: str, answer: str, value: object) -> Taken:
        try:
            verdict = read_verdict(value, self._schema)
            if verdict.verdict is VerdictKind.FAIL and any(one.path for one in verdict.findings):
                # Now: this process may end while findings are looked up.
                self._ledger.record(Record(call=call, verdict=verdict, answer=answer))
            verdict = self._checked(verdict)
            record = Record(call=call, verdict=verdict, answer=answer)
            if self._ledger.record(record).result():
                return Taken(False, "The time of this task is over: only a fail counts by now.")
            self._records.append(record)
        except VerdictError as error:
            fail = says_fail(value, given=True)
            self._refuse(str(error), fail=fail, answer=answer, call=call)
            return Taken(False, f"Refused: {error}. Fix that and call record_verdict again.")
        except JournalError as error:
            if says_fail(value, given=True):
                self._refuse(str(error), fail=True, answer=answer)
            self._unwritten = error
            return Taken(False, f"Refused: {error}.")
        return Taken(True, f"recorded {verdict.verdict} for task {self._task_id}")

    def _refuse(
        self, why: str, *, fail: bool, answer: str | None = None, call: str | None = None
    ) -> None:
        record = Record(call=call or f"refused-{len(self._records)}", refused=why, fail=fail)
        if answer is not None:
            record = replace(record, answer=answer)
        self._records.append(record)
        # Not waited for: the model gets its answer, and we have the record.
        self._ledger.record(record)
