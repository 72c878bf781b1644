"""One attempt with Claude Code: its records, whether it may end, and its outcome.

A turn only decides. Its events come from one of two sources: the SDK's client, live; or an
interactive session, from its hooks, and from its transcript when it is over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_ptc.agents.claude.diagnosis import RECORDING_TOOL, ending
from pytest_ptc.agents.claude.events import (
    Began,
    Called,
    Event,
    Failed,
    Finished,
    Limited,
    Returned,
    Said,
    Used,
)
from pytest_ptc.agents.claude.recorder import Recorder
from pytest_ptc.interfaces.agent import as_it_is
from pytest_ptc.model.result import Usage
from pytest_ptc.model.trouble import Cause, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_ptc.agents.claude.recorder import Ledger
    from pytest_ptc.model.verdict import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The answer to a hook; with no field set, Claude Code continues.

    Args:
        denied: Why a call must not run, for the model.
        reminder: A message to the model in place of the end of its turn.
        ends: Why the turn ends here.
    """

    denied: str | None = None
    reminder: str | None = None
    ends: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it in Claude Code's form."""
        if self.denied is not None:
            return {
                "hookSpecificOutput": {
                    "hookEventName": "PreToolUse",
                    "permissionDecision": "deny",
                    "permissionDecisionReason": self.denied,
                }
            }
        if self.reminder is not None:
            return {"decision": "block", "reason": self.reminder}
        return {} if self.ends is None else {"continue": False, "stopReason": self.ends}


class Turn:
    """One attempt with Claude Code, of one or more conversations.

    Args:
        task_id: The attempt's task: the only one that may be updated.
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
        self._recorder = Recorder(task_id, schema, ledger, checked)
        #: Calls of other tools than the recording one, and calls that gave a result.
        self._calls: set[str] = set()
        self._returned: set[str] = set()
        #: Whether the model has answered at all, in any conversation of the attempt.
        self.answered = False
        self._heard = False
        self._facts: dict[str, Any] = {}
        self.begin()

    def __repr__(self) -> str:
        phase = "over" if self.over else "at work" if self.began else "asked"
        return f"<Turn of task {self._recorder.task_id}: {phase}>"

    def begin(self) -> None:
        """Begin a conversation; records of an earlier one stay."""
        #: Whether the conversation has begun, and whether it has ended, or should.
        self.began = False
        self.over = False
        #: When the provider's usage limit resets, in seconds since the epoch, if it was reached.
        self.limit: float | None = None
        self._failed: Failed | None = None
        self._finished: Finished | None = None
        self._billed: dict[str, Usage] = {}

    @property
    def tool_calls(self) -> int | None:
        """Return the number of tool calls other than recording; None if unknown."""
        return len(self._calls & self._returned) if self._heard else None

    @property
    def facts(self) -> Mapping[str, Any]:
        """Return facts about the client, its model and the conversation, as plain JSON."""
        return self._facts

    # Hooks.

    def before_update(self, call_id: str, update: Mapping[str, Any]) -> Answer:
        """Check a call of the recording tool before it runs.

        A schema check may take seconds: do not call it in an event loop.
        """
        return Answer(denied=self._recorder.update(call_id, update))

    def after_update(self, call_id: str, response: object) -> Answer:
        """Take the result of a call of the recording tool."""
        if not self._recorder.carried_out(call_id, response):
            return Answer()
        self.over = True
        return Answer(ends="the verdict is recorded")

    def before_stop(self) -> Answer:
        """Answer the hook for the end of the model's turn."""
        reminder = self._recorder.reminder()
        self.over = reminder is None
        return Answer(reminder=reminder)

    def gave_up(self, error: str, text: str) -> None:
        """Take the error with which the client gave up on the API."""
        self._failed = Failed(error, text)
        self.over = True

    # Events of the client.

    def take_event(self, event: Event) -> None:
        """Take an event; events may come in any order, and more than once."""
        self._heard = True
        match event:
            case Began(version=version, model=model):
                self.began = True
                known = {"client": version and f"Claude Code {version}", "model": model}
                self._facts |= {name: value for name, value in known.items() if value}
            case Called(call_id, tool, value, answer) if tool == RECORDING_TOOL:
                self._recorder.announced(call_id, value, answer)
            case Said(text):
                self._recorder.said(text)
            case Called(call_id):
                self._calls.add(call_id)
            case Returned(call_id, failed=False):
                self._returned.add(call_id)
            case Used(message_id, usage):
                self._billed[message_id] = usage
            case Limited(resets_at):
                self.limit = resets_at
            case Failed():
                self._failed = event
            case Finished(denied=denied, turns=turns):
                self.over = True
                self._finished = event
                self._facts |= {"denied": list(denied), "turns": turns}

    # The outcome.

    def ended(
        self, trouble: Trouble | None, *, listed: Callable[[], bool], evidence: Callable[[], str]
    ) -> Verdict | Trouble:
        """Return the recorded verdict, or why there is none.

        Args:
            trouble: An error that was found outside of the client's events.
            listed: Tells whether the run's list still has the task.
            evidence: Returns the last output, for a trouble without evidence.
        """
        settled = self._recorder.settled()
        if isinstance(settled, Trouble) and not self._recorder.recorded:
            met = trouble or self._client_trouble()
            settled = met.beside(settled) if met else settled
        if self._recorder.missed and listed():
            message = (
                "Claude Code used another task list than the run's: it found no task "
                f"{self._recorder.task_id}, which is on the run's list"
            )
            self._recorder.disown(message)
            settled = Trouble(cause=Cause.WRONG_LIST, message=message)
        if isinstance(settled, Trouble) and not settled.evidence:
            return replace(settled, evidence=evidence())
        return settled

    def usage(self, before: Usage | None = None) -> Usage:
        """Return the usage of the conversation.

        It is the client's total, if the turn ended; else the sum over its answers, without a cost.

        Args:
            before: The client's total when the conversation began.
        """
        if self._finished is None or before is None:
            return sum(self._billed.values(), Usage(cost_usd=None))
        after = self._finished.total
        numbers = [
            max(0, now - then) for now, then in zip(after.numbers, before.numbers, strict=True)
        ]
        if after.cost_usd is None or before.cost_usd is None:
            return Usage.of(numbers, None)
        return Usage.of(numbers, max(0.0, after.cost_usd - before.cost_usd))

    def _client_trouble(self) -> Trouble | None:
        """Return the error that the client reported, if any."""
        if self._finished is not None:
            return ending(self._finished, self._failed)
        if self._failed is None:
            return None
        end = Finished("success", is_error=True, session_id="", text=self._failed.text)
        return ending(end, self._failed)
