"""One attempt with Claude Code: what is recorded, whether it may end, and what it comes to.

A turn decides and does nothing. Two sources tell it what happens: the SDK's client, as it happens;
the real screen, by its hooks as they ask, and by its own transcript when it is over.
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
from pytest_ptc.model.result import Usage
from pytest_ptc.model.trouble import Cause, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_ptc.agents.claude.recorder import Ledger
    from pytest_ptc.model.verdict import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a hook is answered; without a field that is set, Claude Code goes on as it would.

    Args:
        denied: Why a call may not be carried out, for the model.
        told: What the model is told instead of coming to its end.
        ends: Why the turn ends here.
    """

    denied: str | None = None
    told: str | None = None
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
        if self.told is not None:
            return {"decision": "block", "reason": self.told}
        return {} if self.ends is None else {"continue": False, "stopReason": self.ends}


class Turn:
    """One attempt with Claude Code; the model may be asked again, in a fresh conversation.

    Args:
        task_id: The attempt's task: the only one that may be updated.
        schema: JSON Schema for the verdict's `data`.
        ledger: Keeps what is recorded and refused.
    """

    def __init__(self, task_id: str, schema: Mapping[str, Any] | None, ledger: Ledger) -> None:
        self._recorder = Recorder(task_id, schema, ledger)
        #: Calls of other tools than the recording one, and calls that gave a result.
        self._calls: set[str] = set()
        self._returned: set[str] = set()
        self._heard = False
        self._facts: dict[str, Any] = {}
        self.begin()

    def __repr__(self) -> str:
        phase = "over" if self.over else "at work" if self.began else "asked"
        return f"<Turn of task {self._recorder.task_id}: {phase}>"

    def begin(self) -> None:
        """Begin with a conversation; what an earlier one has recorded stays recorded."""
        #: Whether the conversation has begun, and whether it has ended, or should.
        self.began = False
        self.over = False
        #: When the provider's limit on use opens again, if it was reached: seconds since the epoch.
        self.limit: float | None = None
        self._failed: Failed | None = None
        self._finished: Finished | None = None
        self._billed: dict[str, Usage] = {}

    @property
    def tool_calls(self) -> int | None:
        """Return how often a tool was used, besides recording; None if nobody has told."""
        return len(self._calls & self._returned) if self._heard else None

    @property
    def facts(self) -> Mapping[str, Any]:
        """Return what is known of the client, its model and the conversation, as plain JSON."""
        return self._facts

    # What hooks ask.

    def before_update(self, call_id: str, update: Mapping[str, Any]) -> Answer:
        """Take a call of the recording tool before it is carried out.

        Held to a schema, its data may take seconds: not for an event loop.
        """
        return Answer(denied=self._recorder.update(call_id, update))

    def after_update(self, call_id: str, response: object) -> Answer:
        """Take what became of a call of the recording tool."""
        if not self._recorder.carried_out(call_id, response):
            return Answer()
        self.over = True
        return Answer(ends="the verdict is recorded")

    def before_stop(self) -> Answer:
        """Take note that the model would stop now."""
        reminder = self._recorder.reminder()
        self.over = reminder is None
        return Answer(told=reminder)

    def gave_up(self, error: str, text: str) -> None:
        """Take note that the client gave up on the API, and stops."""
        self._failed = Failed(error, text)
        self.over = True

    # What the client tells.

    def heed(self, event: Event) -> None:
        """Take an event, in whatever order they come, and once or more."""
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

    # What it comes to.

    def ended(
        self, trouble: Trouble | None, *, listed: Callable[[], bool], evidence: Callable[[], str]
    ) -> Verdict | Trouble:
        """Return what was recorded; if nothing was, why not.

        Args:
            trouble: What went wrong, if that is not what the client has said itself.
            listed: Tells whether the run's list still has the task.
            evidence: Returns what was seen last, for a trouble that shows nothing itself.
        """
        settled = self._recorder.settled()
        if isinstance(settled, Trouble) and not self._recorder.recorded:
            met = trouble or self._client_trouble()
            settled = met.beside(settled) if met else settled
        if self._recorder.missed and listed():
            message = (
                "Claude Code recorded on another task list than the run's: it says that there is "
                f"no task {self._recorder.task_id}, which our list has"
            )
            self._recorder.disown(message)
            settled = Trouble(cause=Cause.WRONG_LIST, message=message)
        if isinstance(settled, Trouble) and not settled.evidence:
            return replace(settled, evidence=evidence())
        return settled

    def usage(self, before: Usage | None = None) -> Usage:
        """Return what the conversation has cost.

        By the client's account, if it closed one; else by what its answers were billed, without the
        money.

        Args:
            before: The client's account when the conversation began.
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
        """Return what went wrong by the client's own words."""
        if self._finished is not None:
            return ending(self._finished, self._failed)
        if self._failed is None:
            return None
        said = Finished("success", is_error=True, session_id="", text=self._failed.text)
        return ending(said, self._failed)
