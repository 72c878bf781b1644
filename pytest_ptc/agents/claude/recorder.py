"""What the model may do to its task on the shared list, and what it has recorded.

Pure but for its ledger: an accepted verdict is on disk before the client hears of it. Every
refusal is written for the model: it says what is wrong and what is wanted.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from pytest_ptc.model.errors import JournalError, VerdictError
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.verdicts.fail_signs import says_fail
from pytest_ptc.verdicts.recording import Record, settle
from pytest_ptc.verdicts.verdict_json import read_verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from pytest_ptc.model.verdict import Verdict

#: How often a model that stops without a verdict is told to record one. Claude Code itself would
#: stop asking after eight.
REMINDERS = 2

#: What of a task an update may name; the rest is the coordinator's.
_OPEN_FIELDS = frozenset({"taskId", "status", "metadata", "activeForm"})


class Ledger(Protocol):
    """Where a recorder puts what it accepts and refuses; see `interfaces.ledger.Ledger`."""

    def record(self, record: Record) -> Future[bool]:
        """Have a recording put down; the result tells whether it is too late."""

    def answered(self, call: str, answer: str) -> Future[bool]:
        """Have it put down which answer of the model holds a recording."""


class Recorder:
    """One attempt's door to the shared list.

    Args:
        task_id: The attempt's task: the only one that may be updated.
        schema: JSON Schema for the verdict's `data`.
        ledger: Keeps what is recorded and refused: it outlives this process.
    """

    def __init__(self, task_id: str, schema: Mapping[str, Any] | None, ledger: Ledger) -> None:
        self.task_id = task_id
        self._schema = schema
        self._ledger = ledger
        #: Every call that recorded, or would have: of our task, or of nobody's.
        self._records: dict[str, Record] = {}
        #: Refused calls that were about other tasks: they say nothing about ours.
        self._others: dict[str, str] = {}
        self._unchecked: dict[str, Mapping[str, Any]] = {}
        self._answers: dict[str, str] = {}
        self._reminders = 0
        #: Valid verdicts that were handed over; whether they are on disk is their future's to say.
        self._sent: dict[str, tuple[Record, Future[bool]]] = {}
        #: Why a valid verdict could not be put down, if one could not.
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
        """Take a call of TaskUpdate before it is carried out; return why it may not be, if so.

        Not for an event loop: it waits until an accepted verdict is on disk.
        """
        self._unchecked.pop(call_id, None)
        try:
            verdict = self._read(update)
            if verdict is not None:
                record = Record(call=call_id, verdict=verdict, answer=self._answers.get(call_id))
                self._sent[call_id] = record, self._ledger.record(record)
                if self._sent[call_id][1].result():
                    return "The time of this task is over: only a fail counts by now."
                self._accepted(record)
        except VerdictError as error:
            self._refuse(call_id, update, error)
            return f"Refused, and nothing was changed: {error}. Fix that and call TaskUpdate again."
        except JournalError as error:
            if says_fail(update, given=True):
                self._refuse(call_id, update, error)
            self._unwritten = error
            return f"Refused, and nothing was changed: {error}."
        return None

    def _accepted(self, record: Record) -> None:
        """Take a recording that is on disk; which answer holds it may have been told meanwhile."""
        self._unchecked.pop(record.call, None)
        answer = self._answers.get(record.call)
        if answer is not None and record.answer is None:
            record = replace(record, answer=answer)
            self._ledger.answered(record.call, answer)
        self._records[record.call] = record

    def announced(self, call_id: str, update: Mapping[str, Any], answer: str) -> None:
        """Take a call of TaskUpdate that the model has said, whether it comes to be or not.

        The turn ends with the first accepted verdict: a further one in the same answer may never
        be carried out, and must not be lost if it is a fail.

        Args:
            call_id: The call.
            update: What it asks for.
            answer: The answer of the model that holds it.
        """
        self._answers[call_id] = answer
        if call_id in self._records:
            self._records[call_id] = replace(self._records[call_id], answer=answer)
            self._ledger.answered(call_id, answer)
        elif call_id not in self._others:
            self._unchecked[call_id] = update
            if says_fail(update, given=True):
                # Now: nobody may live to judge it.
                record = self._said(call_id, update)
                if record is not None and record.says_fail:
                    self._ledger.record(record)

    def carried_out(self, call_id: str, response: object) -> bool:
        """Take what became of a call of TaskUpdate; return whether the turn should end with it.

        It should with an accepted verdict, also where the list did not take it: the journal has it,
        and another request would only be spent on hearing that.
        """
        record = self._records.get(call_id)
        if record is None or record.verdict is None:
            return False
        if isinstance(response, dict) and response.get("success") is False:
            self.missed |= "not found" in str(response.get("error")).lower()
        return True

    def disown(self, problem: str) -> None:
        """Put down that no verdict of this attempt counts: it was recorded somewhere else."""
        for call, record in self._records.items():
            if record.verdict is not None:
                refused = Record(
                    call=call, refused=problem, answer=record.answer, fail=record.says_fail
                )
                self._ledger.record(refused)

    def reminder(self) -> str | None:
        """Return what a model is told that would stop now; None if it may."""
        if self.recorded or self._reminders >= REMINDERS:
            return None
        self._reminders += 1
        return (
            f'No verdict is recorded for task {self.task_id}. Call TaskUpdate with taskId "'
            f'{self.task_id}", status "completed" and metadata {{"ptc": ...}} as you were told. If '
            'you could not do the task, the verdict is "error" and the summary says why.'
        )

    def said(self, text: str) -> None:
        """Take what the model has said to nobody in particular: a verdict there is displaced."""
        for line in text.splitlines():
            if line.lstrip().startswith("{") and says_fail(line):
                refused = f"said, and not recorded: {line.strip()[:200]}"
                call = f"said-{len(self._records)}"
                self._keep(Record(call=call, refused=refused, fail=True))

    def settled(self) -> Verdict | Trouble:
        """Return what all that was recorded comes to.

        Not before the ledger is settled: a client may die in the moment between a verdict that is
        on disk and whoever waits for that.
        """
        for call_id, (record, future) in list(self._sent.items()):
            on_disk = future.done() and future.exception() is None and not future.result()
            if on_disk and call_id not in self._records:
                self._accepted(record)
        for call_id, update in list(self._unchecked.items()):
            if call_id not in self._records:
                self._take_said(call_id, update)
        if not self._records and self._others:
            *_, last = self._others.values()
            return Trouble(cause=Cause.MALFORMED, message=f"nothing recorded was valid: {last}")
        if not self._records and self._unwritten is not None:
            return Trouble(cause=Cause.MACHINERY, message=str(self._unwritten))
        return settle(list(self._records.values()))

    def _take_said(self, call_id: str, update: Mapping[str, Any]) -> None:
        """Take what was said, but never carried out: enough to fail the item, not to pass it."""
        record = self._said(call_id, update)
        if record is None:
            return
        if record.verdict is None:
            self._unchecked.pop(call_id, None)
        if record.verdict is None or self.recorded or record.says_fail:
            self._keep(record)

    def _said(self, call_id: str, update: Mapping[str, Any]) -> Record | None:
        """Return what an update that was never carried out recorded; None if nothing."""
        answer = self._answers.get(call_id)
        try:
            verdict = self._read(update)
        except VerdictError as error:
            fail = says_fail(update, given=True)
            if str(update.get("taskId")) != self.task_id and not fail:
                return None
            return Record(call=call_id, refused=str(error), answer=answer, fail=fail)
        return Record(call=call_id, verdict=verdict, answer=answer) if verdict else None

    def _refuse(self, call_id: str, update: Mapping[str, Any], error: Exception) -> None:
        self._unchecked.pop(call_id, None)
        fail = says_fail(update, given=True)
        # What is about another task says nothing about ours; but a fail may be displaced.
        if str(update.get("taskId")) != self.task_id and not fail:
            self._others[call_id] = str(error)
            return
        answer = self._answers.get(call_id)
        self._keep(Record(call=call_id, refused=str(error), answer=answer, fail=fail))

    def _keep(self, record: Record) -> None:
        self._records[record.call] = record
        # Not waited for: it is known here, and the model has heard of it.
        self._ledger.record(record)

    def _read(self, update: Mapping[str, Any]) -> Verdict | None:
        """Return the verdict of an update; None for one that holds none and does no harm.

        Raises:
            VerdictError: It may not be carried out.
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
