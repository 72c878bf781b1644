"""The checks of the model's calls of TaskUpdate, and the verdicts that it records with them.

Pure except for its ledger: an accepted verdict is on disk before the client gets an answer. Every
refusal is written for the model: it says what is wrong and what to do.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from pytest_ptc.interfaces.agent import as_it_is
from pytest_ptc.model.errors import JournalError, VerdictError
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.verdicts.fail_signs import says_fail
from pytest_ptc.verdicts.recording import Record, settle
from pytest_ptc.verdicts.verdict_json import read_verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from pytest_ptc.model.verdict import Verdict

#: How often a model that stops without a verdict gets a reminder. Claude Code allows eight.
MAX_REMINDERS = 2

#: The fields of a task that an update may contain; the others are the coordinator's.
_OPEN_FIELDS = frozenset({"taskId", "status", "metadata", "activeForm"})


class Ledger(Protocol):
    """Takes a recorder's records; see `interfaces.ledger.Ledger`."""

    def record(self, record: Record) -> Future[bool]:
        """Send a recording; the result tells whether it came too late."""

    def answered(self, call: str, answer: str) -> Future[bool]:
        """Send which answer of the model holds a recording."""


class Recorder:
    """Checks one attempt's updates of the shared list.

    Args:
        task_id: The attempt's task: the only one that may be updated.
        schema: JSON Schema for the verdict's `data`.
        ledger: Takes accepted and refused records; they outlive this process.
        checked: Returns a valid verdict with its findings looked up; see `Job.checked`.
    """

    def __init__(
        self,
        task_id: str,
        schema: Mapping[str, Any] | None,
        ledger: Ledger,
        checked: Callable[[Verdict], Verdict] = as_it_is,
    ) -> None:
        self.task_id = task_id
        self._schema = schema
        self._ledger = ledger
        self._checked = checked
        #: The record of every call that was about our task.
        self._records: dict[str, Record] = {}
        #: Refused calls that were about other tasks, which do not count for ours.
        self._others: dict[str, str] = {}
        self._unchecked: dict[str, Mapping[str, Any]] = {}
        self._answers: dict[str, str] = {}
        self._reminders = 0
        #: Valid verdicts that were sent; their futures tell whether they are on disk.
        self._sent: dict[str, tuple[Record, Future[bool]]] = {}
        #: Why a valid verdict could not be written, if so.
        self._unwritten: JournalError | None = None
        #: Whether the client did not find the task of an accepted verdict on its list.
        self.missed = False

    def __repr__(self) -> str:
        return f"<Recorder of task {self.task_id}: {len(self._records)} records>"

    @property
    def recorded(self) -> bool:
        """Tell whether a valid verdict is in the journal."""
        return any(record.verdict is not None for record in self._records.values())

    def update(self, call_id: str, update: Mapping[str, Any]) -> str | None:
        """Check a call of TaskUpdate before it runs; return why it must not, or None.

        It reads files, and blocks until an accepted verdict is on disk: do not call it in an event
        loop.
        """
        self._unchecked.pop(call_id, None)
        try:
            verdict = self._parse(update)
            if verdict is not None:
                verdict = self._checked(verdict)
                record = Record(call=call_id, verdict=verdict, answer=self._answers.get(call_id))
                self._sent[call_id] = record, self._ledger.record(record)
                if self._sent[call_id][1].result():
                    return "The time of this task is over: only a fail counts by now."
                self._accept(record)
        except VerdictError as error:
            self._refuse(call_id, update, error)
            return f"Refused, and nothing was changed: {error}. Fix that and call TaskUpdate again."
        except JournalError as error:
            if says_fail(update, given=True):
                self._refuse(call_id, update, error)
            self._unwritten = error
            return f"Refused, and nothing was changed: {error}."
        return None

    def _accept(self, record: Record) -> None:
        """Take a recording that is on disk; `announced` may have named its answer meanwhile."""
        self._unchecked.pop(record.call, None)
        answer = self._answers.get(record.call)
        if answer is not None and record.answer is None:
            record = replace(record, answer=answer)
            self._ledger.answered(record.call, answer)
        self._records[record.call] = record

    def announced(self, call_id: str, update: Mapping[str, Any], answer: str) -> None:
        """Take a call of TaskUpdate from the model's answer, before it may run.

        The turn ends with the first accepted verdict: a further call in the same answer may never
        run, and must not be lost if it is a fail.

        Args:
            call_id: The call.
            update: Its input.
            answer: The answer of the model that holds it.
        """
        self._answers[call_id] = answer
        if call_id in self._records:
            self._records[call_id] = replace(self._records[call_id], answer=answer)
            self._ledger.answered(call_id, answer)
        elif call_id not in self._others:
            self._unchecked[call_id] = update
            if says_fail(update, given=True):
                # Now: this process may end before `settled` is called.
                record = self._unexecuted(call_id, update)
                if record is not None and record.says_fail:
                    self._ledger.record(record)

    def carried_out(self, call_id: str, response: object) -> bool:
        """Take the result of a call of TaskUpdate; return whether the turn should end.

        It should after an accepted verdict, even if the shared list did not take the update: the
        journal has the verdict, and one more request to the model would change nothing.
        """
        record = self._records.get(call_id)
        if record is None or record.verdict is None:
            return False
        if isinstance(response, dict) and response.get("success") is False:
            self.missed |= "not found" in str(response.get("error")).lower()
        return True

    def disown(self, problem: str) -> None:
        """Record that no verdict of this attempt counts, because it went to another task list."""
        for call, record in self._records.items():
            if record.verdict is not None:
                refused = Record(
                    call=call, refused=problem, answer=record.answer, fail=record.says_fail
                )
                self._ledger.record(refused)

    def reminder(self) -> str | None:
        """Return the reminder for a model that stops without a verdict; None if it may stop."""
        if self.recorded or self._reminders >= MAX_REMINDERS:
            return None
        self._reminders += 1
        return (
            f'No verdict is recorded for task {self.task_id}. Call TaskUpdate with taskId "'
            f'{self.task_id}", status "completed" and metadata {{"ptc": ...}} as the prompt says. '
            'If you could not do the task, the verdict is "error" and the summary says why.'
        )

    def said(self, text: str) -> None:
        """Take a text of the model: a fail in it counts as a refused record."""
        for line in text.splitlines():
            if line.lstrip().startswith("{") and says_fail(line):
                refused = f"written as text, not recorded: {line.strip()[:200]}"
                call = f"said-{len(self._records)}"
                self._keep(Record(call=call, refused=refused, fail=True))

    def settled(self) -> Verdict | Trouble:
        """Return the verdict of all records, or why there is none.

        Call it after the ledger is settled: a client may end after a verdict is on disk and before
        `update` returns.
        """
        for call_id, (record, future) in list(self._sent.items()):
            on_disk = future.done() and future.exception() is None and not future.result()
            if on_disk and call_id not in self._records:
                self._accept(record)
        for call_id, update in list(self._unchecked.items()):
            if call_id not in self._records:
                self._take_unexecuted(call_id, update)
        if not self._records and self._others:
            *_, last = self._others.values()
            return Trouble(cause=Cause.MALFORMED, message=f"nothing recorded was valid: {last}")
        if not self._records and self._unwritten is not None:
            return Trouble(cause=Cause.MACHINERY, message=str(self._unwritten))
        return settle(list(self._records.values()))

    def _take_unexecuted(self, call_id: str, update: Mapping[str, Any]) -> None:
        """Take a call that was never run: it can fail the item, but not pass it."""
        record = self._unexecuted(call_id, update)
        if record is None:
            return
        if record.verdict is None:
            self._unchecked.pop(call_id, None)
        if record.verdict is None or self.recorded or record.says_fail:
            self._keep(record)

    def _unexecuted(self, call_id: str, update: Mapping[str, Any]) -> Record | None:
        """Return the record of a call that was never run; None if it holds none."""
        answer = self._answers.get(call_id)
        try:
            verdict = self._parse(update)
        except VerdictError as error:
            fail = says_fail(update, given=True)
            if str(update.get("taskId")) != self.task_id and not fail:
                return None
            return Record(call=call_id, refused=str(error), answer=answer, fail=fail)
        return Record(call=call_id, verdict=verdict, answer=answer) if verdict else None

    def _refuse(self, call_id: str, update: Mapping[str, Any], error: Exception) -> None:
        self._unchecked.pop(call_id, None)
        fail = says_fail(update, given=True)
        # A call about another task does not count, except a fail: its task id may be a mistake.
        if str(update.get("taskId")) != self.task_id and not fail:
            self._others[call_id] = str(error)
            return
        answer = self._answers.get(call_id)
        self._keep(Record(call=call_id, refused=str(error), answer=answer, fail=fail))

    def _keep(self, record: Record) -> None:
        self._records[record.call] = record
        # Not waited for: `_records` has it, and the model already has its answer.
        self._ledger.record(record)

    def _parse(self, update: Mapping[str, Any]) -> Verdict | None:
        """Return the verdict of an update; None for an allowed update without one.

        Raises:
            VerdictError: The update is not allowed.
        """
        problem = self._problem(update)
        if problem is not None:
            raise VerdictError(problem)
        metadata = update.get("metadata") or {}
        return read_verdict(metadata["ptc"], self._schema) if "ptc" in metadata else None

    def _problem(self, update: Mapping[str, Any]) -> str | None:
        task_id = update.get("taskId")
        if str(task_id) != self.task_id:
            return f"you may update task {self.task_id} alone; task {task_id} is another worker's"
        if update.get("status") == "deleted":
            return "your task must not be deleted; record a verdict, which may be an error"
        closed = sorted(set(update) - _OPEN_FIELDS)
        if closed:
            return f"{', '.join(closed)} of your task must not be changed; record your verdict"
        metadata = update.get("metadata")
        if metadata is not None and not isinstance(metadata, dict):
            return f'"metadata" must be a JSON object, not {json.dumps(metadata):.80}'
        foreign = sorted(set(metadata or ()) - {"ptc"})
        if foreign:
            return f'"metadata" may hold "ptc" alone, not {", ".join(foreign)}'
        if update.get("status") == "completed" and not metadata:
            return (
                'a task is completed by its verdict: put metadata {"ptc": {"verdict": ..., '
                '"summary": ...}} into the same call'
            )
        return None
